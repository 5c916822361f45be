"""The embedded depth network as a module: its padding, its stored weights, errors."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from photo_diorama.core.errors import DioramaError  # noqa: E402
from photo_diorama.core.networks.depth import embedded_depth_net as net  # noqa: E402


@pytest.mark.parametrize("kernel", [3, 5])
def test_strided_convolution_pads_as_tensorflow_does(kernel):
    """SAME for even sizes: the first window starts (kernel - 2) // 2 before the image, the rest is padded after."""
    layer = net.SamePadConv(1, 1, kernel, 2)
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(float(kernel * kernel)).reshape(1, 1, kernel, kernel))
        got = layer(x)[0, 0].numpy()
    before = (kernel - 2) // 2
    padded = np.zeros((6 + kernel - 2, 6 + kernel - 2))
    padded[before : before + 6, before : before + 6] = x[0, 0].numpy()
    weight = layer.weight.detach().numpy()[0, 0]
    want = [[(padded[2 * i : 2 * i + kernel, 2 * j : 2 * j + kernel] * weight).sum() for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(got, want)


def test_the_shipped_file_is_small_and_in_half_floats():
    from safetensors.torch import load_file

    assert net.WEIGHTS.stat().st_size <= 12 * 2**20
    assert {value.dtype for value in load_file(str(net.WEIGHTS)).values()} == {torch.float16}


def test_weights_that_are_missing_or_not_these_are_named(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(DioramaError, match="gone.safetensors"):
        net.load_network(tmp_path / "gone.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(DioramaError, match="broken.safetensors"):
        net.load_network(tmp_path / "broken.safetensors")
    save_file({"decoder.place.weight": torch.zeros(128, 2, 1, 1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(DioramaError, match="other.safetensors"):
        net.load_network(tmp_path / "other.safetensors")
