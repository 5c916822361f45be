"""Makes what these tests share importable: scenes, and files written byte by byte."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
