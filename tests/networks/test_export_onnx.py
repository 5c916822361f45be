"""What `training/export_onnx.py` writes says the same as the modules, and what comes along was made of the weights beside it."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import export_onnx  # noqa: E402
import onnx_forms  # noqa: E402

from photo_diorama.core.built_in.onnx_network import OnnxNetwork  # noqa: E402
from photo_diorama.core.built_in.quantised import quantise, read_quantised, write_quantised  # noqa: E402


@pytest.mark.parametrize("name", export_onnx.FORMS)
def test_the_file_that_comes_along_equals_its_module_at_every_size(name):
    form, file = export_onnx.FORMS[name]
    network = OnnxNetwork.read(export_onnx.WEIGHTS / file)
    assert export_onnx.largest_difference(form(None), network) < export_onnx.MAX_DIFFERENCE


def test_exporting_a_depth_network_again_gives_the_file_that_comes_along(tmp_path):
    form, file = export_onnx.FORMS["second"]
    export_onnx.export(form(None), tmp_path / file)
    for end in (".npz", ".json"):
        assert (tmp_path / file).with_suffix(end).read_bytes() == (export_onnx.WEIGHTS / file).with_suffix(end).read_bytes()


def test_exporting_again_gives_the_same_file(tmp_path):
    """Twice the same bytes; beside the file that comes along up to how a processor rounds the sums of spectral normalisation."""
    form, file = export_onnx.FORMS["edges"]
    paths = [tmp_path / name / file for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        export_onnx.export(form(None), path)
    once, again, shipped = (
        [path.with_suffix(end).read_bytes() for end in (".onnx", ".json")] for path in (*paths, export_onnx.WEIGHTS / file)
    )
    assert once == again and once[1] == shipped[1]
    ours, theirs = (onnx.load_from_string(data).graph for data in (once[0], shipped[0]))
    assert [node.SerializeToString() for node in ours.node] == [node.SerializeToString() for node in theirs.node]
    assert [weight.name for weight in ours.initializer] == [weight.name for weight in theirs.initializer]
    for one, other in zip(ours.initializer, theirs.initializer, strict=True):
        np.testing.assert_allclose(onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other), rtol=1e-6, atol=1e-9)


def test_a_form_that_says_something_else_is_not_written(tmp_path):
    form = onnx_forms.colour_form(None)
    form.module.total.data[0] += 1e-2
    with pytest.raises(ValueError, match="differs"):
        export_onnx.export(form, tmp_path / "hidden_colour.onnx")
    assert not list(tmp_path.iterdir())


def test_another_runtime_says_the_same():
    """The files are ONNX as the standard has it, not only as OpenCV reads it."""
    onnxruntime = pytest.importorskip("onnxruntime")
    for name, (make, file) in export_onnx.FORMS.items():
        form = make(None)
        inputs = form.inputs(*export_onnx.TRACED_AT)
        first = {key: value.numpy()[:2] for key, value in inputs.items()}
        content = OnnxNetwork.read(export_onnx.WEIGHTS / file).content
        session = onnxruntime.InferenceSession(content.tobytes(), providers=["CPUExecutionProvider"])
        answers = session.run(None, first)
        for answer, wanted in zip(answers, form.reference(**inputs).values(), strict=True):
            assert np.abs(answer - wanted.detach().numpy()).max() < 1e-4 * np.ptp(wanted.detach().numpy()), name


def test_weights_in_bytes_are_within_half_a_step_and_tell_their_scale_again():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(40, 30, 3, 3)).astype(np.float32) * np.exp(rng.normal(scale=6, size=(40, 1, 1, 1))).astype(np.float32)
    weight[7] = 0
    steps, scale = quantise(weight)
    assert steps.dtype == np.int8 and scale.shape == (40, 1, 1, 1)
    assert (np.abs(weight - steps * scale) <= 0.5001 * scale).all()
    assert (scale[:, 0, 0, 0] <= 1.001 * np.abs(weight).max((1, 2, 3)) / 127).all()
    again = quantise(steps * scale)
    assert (again[0] == steps).all() and (again[1] == scale).all()


@pytest.mark.parametrize("count", [1, 3])
def test_an_archive_of_bytes_is_the_onnx_file_that_it_was_made_of(tmp_path, count):
    """Sizes of a field need one to four bytes; what stays in the graph stays."""
    rng = np.random.default_rng(1)
    shapes = [(5, 1, 1, 1), (130, 7, 3, 3), (300, 300, 5, 5)][:count]
    weights = {f"weight {index}": np.multiply(*quantise(rng.normal(size=shape).astype(np.float32))) for index, shape in enumerate(shapes)}
    kept = onnx.numpy_helper.from_array(np.arange(3, dtype=np.float32), "kept")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [kept]))
    write_quantised(tmp_path / "a.npz", model.SerializeToString(), weights)
    read = onnx.load_from_string(read_quantised(tmp_path / "a.npz").tobytes())
    found = {each.name: onnx.numpy_helper.to_array(each) for each in read.graph.initializer}
    assert list(found) == ["kept", *weights] and read.graph.name == "g" and read.opset_import == model.opset_import
    for name, weight in weights.items():
        np.testing.assert_array_equal(found[name], weight)


@pytest.mark.parametrize("name", ["depth", "second", "silhouettes"])
def test_depth_networks_are_stored_in_bytes(name):
    form, file = export_onnx.FORMS[name]
    weights = sum(value.numel() for value in form(None).module.parameters())
    nodes = {node.op_type for node in onnx.load_model_from_string(read_quantised(export_onnx.WEIGHTS / file).tobytes()).graph.node}
    assert "Conv" in nodes and "BatchNormalization" not in nodes  # OpenCV would fold them at every load
    assert (export_onnx.WEIGHTS / file).stat().st_size < 1.15 * weights


def test_a_network_is_exported_with_what_it_tells(tmp_path):
    """As training leaves it: the sky, but no shift yet."""
    from safetensors.torch import save_file

    from photo_diorama.core.networks.depth.embedded_depth_net import EmbeddedDepthNet

    torch.manual_seed(0)
    save_file(EmbeddedDepthNet("lite0", sky=True).state_dict(), str(tmp_path / "sky.safetensors"))
    assert export_onnx.export(onnx_forms.depth_form(tmp_path / "sky.safetensors"), tmp_path / "sky.npz") < export_onnx.MAX_DIFFERENCE
    assert OnnxNetwork.read(tmp_path / "sky.npz").facts["outputs"] == ["disparity", "sky"]
