"""Makes helpers importable, keeps torch on one thread, and runs the scripts of `training/depth`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two that wait for each other on a busy machine are ten times slower


@pytest.fixture
def own_modules(monkeypatch):
    """The modules of `training/depth` by their own names, and not another training's."""
    import cv2
    from depth_scripts import FOLDER

    def forget() -> None:
        for name in ("samples", "train", "losses", "pretrained"):
            sys.modules.pop(name, None)

    monkeypatch.syspath_prepend(str(FOLDER))
    forget()
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)
    forget()


@pytest.fixture
def call(own_modules, monkeypatch):
    """Runs a script of `training/depth` in this process; a process of its own would import PyTorch again."""
    from depth_scripts import load

    def call(script: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        load(script).main()

    return call
