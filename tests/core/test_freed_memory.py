"""Memory that was freed is used again."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = """
import resource, sys, conftest
import numpy as np
from photo_diorama.core.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    arrays = [np.ones(2_000_000, np.uint8) for _ in range(40)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library is told")
def test_freed_memory_is_used_again_without_new_pages():
    """Page faults of a process that makes and frees arrays, with and without."""

    def faults(how: str) -> int:
        place = Path(__file__).resolve().parents[1]
        return int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True, cwd=place).stdout)

    assert faults("kept") < faults("as it is") / 3
