"""Makes the fill of the reference data importable, and keeps torch on one thread."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two that wait for each other on a busy machine are ten times slower
