"""A network from an ONNX file, or an archive that stands for one, run by OpenCV on the main processor at the size of its input."""

from __future__ import annotations

import json
import threading
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DioramaError
from .quantised import read_quantised

MIN_OPENCV = "4.10"
"""Oldest OpenCV that was tried and reads all our networks; 4.6 does not."""
MAX_KEPT_INPUT = 300_000
"""Largest input, in numbers, for which a network stays loaded: a batch of the colour network, which is followed by another, and a photo
of 320 px; what sees a larger one sees it once. Loading a network again takes some hundredths of a second."""


class OnnxNetwork:
    """A loaded network for inputs of any size. One machine gives the same bytes for the same input. Threads run one after another."""

    def __init__(self, content: np.ndarray, facts: dict):
        """`content` is the ONNX file, uint8; `facts` is what `training/export_onnx.py` wrote beside it: names of "inputs" and "outputs",
        and more. Raises cv2.error where the content is no network."""
        self.content, self.facts = content, facts
        self._lock = threading.Lock()
        self._net: Any = self._new()
        self._shapes: list | None = None

    @classmethod
    def read(cls, path: Path, facts: dict | None = None) -> OnnxNetwork:
        """The network of a file, and its facts from the JSON beside it; raises DioramaError where either cannot be read."""
        import cv2

        try:
            # OpenCV itself cannot open every path on Windows.
            content = read_quantised(path) if path.suffix == ".npz" else np.fromfile(path, np.uint8)
            return cls(content, facts or json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, cv2.error) as error:
            reason = f"by OpenCV {cv2.__version__}" if isinstance(error, cv2.error) else getattr(error, "strerror", None) or "damaged"
            raise DioramaError(
                f"{path}, a network that comes with Photo Diorama, cannot be read ({reason}); install the extension again, and OpenCV "
                f"{MIN_OPENCV} or newer where it brings none."
            ) from None

    def _new(self) -> Any:
        import cv2

        net = cv2.dnn.readNetFromONNX(self.content)
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        return net

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, float32, for float32 inputs by name, (N, C, H, W) each."""
        given = [np.ascontiguousarray(inputs[name], np.float32) for name in self.facts["inputs"]]
        with self._lock:
            shapes = [value.shape for value in given]
            if self._net is None or self._shapes not in (None, shapes):
                self._net = self._new()  # one that has seen another size answers with other last digits
            self._shapes = shapes
            for name, value in zip(self.facts["inputs"], given, strict=True):
                self._net.setInput(value, name)
            outputs = self._net.forward(self.facts["outputs"])
            answers = {name: np.array(value) for name, value in zip(self.facts["outputs"], outputs, strict=True)}
            if sum(value.size for value in given) > MAX_KEPT_INPUT:
                self._net = None  # it holds all that it computed on the way
            return answers

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The only output for the only input."""
        (name,) = self.facts["inputs"]
        (output,) = self.run({name: x}).values()
        return output


@lru_cache(maxsize=6)
def load(path: Path) -> OnnxNetwork:
    """The network of a file, read once. Raises DioramaError where it cannot be read."""
    return OnnxNetwork.read(path)
