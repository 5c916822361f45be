"""Makes the fill of the reference data importable, and keeps torch from starting more threads than a test needs."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
torch = pytest.importorskip("torch")
torch.set_num_threads(2)
