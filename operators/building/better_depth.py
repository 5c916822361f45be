"""The operator that downloads a better depth network in one click and rebuilds the selected diorama with it."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import importlib.util
import textwrap
from functools import lru_cache, partial

import bpy

from ...core.job import Work
from ...core.models import store as models
from ...core.models.catalogue import CATALOGUE
from ...core.pipeline import Progress
from ..scene.root import find_root, kept_source
from .rebuild import Rebuilding
from .user_preferences import models_folder

DOWNLOAD_PART = 0.6
"""Part of the progress bar for the download."""


def best_free_network() -> models.Weights:
    """The best depth network whose licence allows every use."""
    return max((each for each in CATALOGUE if each.commercial and each.rank), key=lambda each: each.rank)


@lru_cache(maxsize=1)
def can_run() -> bool:
    """Whether there is a PyTorch, which downloaded networks need."""
    return importlib.util.find_spec("torch") is not None


def is_wanted(root: bpy.types.Object, context: bpy.types.Context) -> bool:
    """Whether a diorama's depth comes from the built-in network and no better network is installed."""
    guessed = str(kept_source(root).get("depth_source", "")).startswith("estimated by the built-in network")
    return guessed and can_run() and models.best_estimator(models_folder(context)) is None


class GetBetterDepth(Rebuilding, bpy.types.Operator):
    """Download a better depth network (size and licence are shown first) and rebuild this diorama with it"""

    bl_idname = "photo_diorama.get_better_depth"
    bl_label = "Get It and Rebuild"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        if not bpy.app.online_access:
            cls.poll_message_set("Allow Online Access first: the button beside this one, or Preferences > System > Network")
            return False
        return Rebuilding.poll.__func__(cls, context)

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        self._in_thread = True
        return context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Download", title="Better Depth")

    def draw(self, context):
        column = self.layout.column(align=True)
        for line in textwrap.wrap(f"{models.describe(best_free_network())} It goes to {models_folder(context)}.", 70):
            column.label(text=line)

    def prepare(self, context):
        root = find_root(context.object)
        self.fill_in_options(root)
        self.estimator, self.depth = "auto", ""
        build = super().prepare(context)
        return partial(download_then, best_free_network(), models_folder(context), bpy.app.online_access, build)


def download_then(wanted: models.Weights, folder, online: bool, build: Work, progress: Progress):
    """Downloads a network and then builds; free of Blender, for any thread."""
    models.download(wanted, folder, lambda fraction, text: progress(text, DOWNLOAD_PART * fraction), online)
    return build(lambda stage, fraction: progress(stage, DOWNLOAD_PART + (1 - DOWNLOAD_PART) * fraction))


register, unregister = bpy.utils.register_classes_factory((GetBetterDepth,))
