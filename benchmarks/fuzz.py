"""Reads mutated files in processes that are watched for time and memory; prints what docs/hardening.md says.

    python benchmarks/fuzz.py --cases 1000 [--first 0] [--real FOLDER] [--jobs 2]

Cases are those of tests/core/mutations.py. FOLDER: phones' photos with depth, for one case in eight. Linux.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "core")]

import conftest  # noqa: E402, F401 - makes photo_diorama importable

from photo_diorama.core.batch.workers import LINE_PREFIX, Limits, Pool, Worker  # noqa: E402

MEMORY = 3_000_000_000
"""Bytes of address space that reading one file may take above what the process has before."""
PATIENCE = 30.0
"""Seconds for one file, on a busy machine."""


def work(real: Path | None) -> None:
    """Answers numbers of cases with what came of them."""
    import cv2  # noqa: F401 - its libraries are to count as there before
    import mutations
    import scipy.ndimage  # noqa: F401

    seeds = mutations.real_seeds(real) if real else ()
    mutations.seeds()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.jpg", "d.npy"):  # once, so that everything is imported
            mutations.outcome(next(s for s in mutations.seeds() if s.name == name), Path(folder))
        before = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (before + MEMORY, before + MEMORY))
        print(LINE_PREFIX + json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            number = json.loads(line)["case"]
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            resident = _status("VmRSS")
            begun, seed = time.perf_counter(), mutations.case(number, seeds)
            try:
                answer = {"outcome": mutations.outcome(seed, Path(folder))}
            except Exception as error:
                answer = {"outcome": "a fault", "error": "".join(traceback.format_exception(error))[-1500:]}
                if isinstance(error, MemoryError):
                    answer["outcome"] = "out of memory"
            answer |= {"seconds": time.perf_counter() - begun, "mb": (_status("VmHWM") - resident) / 1e6,
                       "seed": seed.name, "kind": seed.kind}  # fmt: skip
            print(LINE_PREFIX + json.dumps({"answer": answer}), flush=True)


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(name + ":"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.real)
        return
    command = [sys.executable, __file__, "--worker", *(["--real", str(given.real)] if given.real else [])]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"}
    pool = Pool(lambda: Worker(command, environment), given.jobs, Limits(None, PATIENCE, 500), lambda *_: None, lambda: None)
    counts, seconds, memory, bad, begun = defaultdict(Counter), [], [], [], time.monotonic()
    for number, outcome in pool.run(range(given.first, given.first + given.cases), lambda n: {"case": n}):
        answer = outcome.answer or {"outcome": outcome.result, "error": outcome.error, "kind": "?", "seed": "?"}
        counts[answer["kind"]][answer["outcome"]] += 1
        seconds.append((round(answer.get("seconds", 0.0), 2), number, answer["seed"]))
        memory.append((round(answer.get("mb", 0.0)), number, answer["seed"]))
        if answer["outcome"] not in ("a scene", "a result", "a sentence", "nothing"):
            bad.append((number, answer))
            print(f"case {number} ({answer['seed']}): {answer['outcome']}\n{answer.get('error')}", flush=True)
    print(json.dumps({kind: dict(count) for kind, count in sorted(counts.items())}))
    print(json.dumps({"cases": given.cases, "bad": len(bad), "seconds": round(time.monotonic() - begun), "slowest": max(seconds),
                      "most_mb": sorted(memory)[-3:]}))  # fmt: skip


if __name__ == "__main__":
    main()
