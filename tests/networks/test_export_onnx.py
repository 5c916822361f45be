"""What `training/export_onnx.py` writes says the same as the modules, and what comes along was made of the weights beside it."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import export_onnx  # noqa: E402

from photo_diorama.core.built_in.onnx_network import OnnxNetwork  # noqa: E402


@pytest.mark.parametrize("name", export_onnx.FORMS)
def test_the_file_that_comes_along_equals_its_module_at_every_size(name):
    form, file = export_onnx.FORMS[name]
    network = OnnxNetwork.read(export_onnx.WEIGHTS / file)
    assert export_onnx.largest_difference(form(None), network) < export_onnx.MAX_DIFFERENCE


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
    form = export_onnx.colour_form(None)
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
        session = onnxruntime.InferenceSession(str(export_onnx.WEIGHTS / file), providers=["CPUExecutionProvider"])
        answers = session.run(None, first)
        for answer, wanted in zip(answers, form.reference(**inputs).values(), strict=True):
            assert np.abs(answer - wanted.detach().numpy()).max() < 1e-4 * np.ptp(wanted.detach().numpy()), name
