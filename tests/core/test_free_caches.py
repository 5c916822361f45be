"""Switching the extension off leaves no network and no picture in memory."""

import numpy as np

from photo_diorama.core.built_in.onnx_network import load
from photo_diorama.core.hidden_depth.choose_surface import load_network
from photo_diorama.core.inpaint.patch_match import patch_cache
from photo_diorama.core.memory import free_caches
from photo_diorama.core.settings import HIDDEN_DEPTH, HIDDEN_EDGES


def test_networks_and_patches_are_freed():
    load(HIDDEN_EDGES)
    load_network(HIDDEN_DEPTH)
    patch_cache.keep(b"a region", np.zeros((10, 6), np.float32))
    free_caches("photo_diorama")
    assert load.cache_info().currsize == load_network.cache_info().currsize == 0
    assert not patch_cache.results and load(HIDDEN_EDGES) is load(HIDDEN_EDGES)
