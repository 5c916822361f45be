"""How long enabling the extension takes, and what it loads: the bare zip, installed, in fresh Blenders (bpy).

python benchmarks/start_up.py [--times 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE = "bl_ext.user_default.photo_diorama"
INSTALL = """
import bpy, sys
bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
"""
MEASURE = f"""
import bpy, json, os, sys, time
before, wall, cpu = set(sys.modules), time.perf_counter(), time.process_time()
bpy.ops.preferences.addon_enable(module="{MODULE}")
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
new = set(sys.modules) - before
print("FOUND", json.dumps([wall, cpu, len([n for n in new if n.startswith("{MODULE}")]),
      sorted({{n.partition(".")[0] for n in new}} - {{"bl_ext"}})]))
sys.stdout.flush()
os._exit(0)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        python = [sys.executable]
        build = [*python, str(ROOT / "wheels" / "build_extension.py"), "--bare", "--output", folder]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (zipped,) = Path(folder).glob("*.zip")
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(Path(folder) / "user")}
        subprocess.run([*python, "-c", INSTALL, str(zipped)], check=True, env=environment, stdout=subprocess.DEVNULL)
        runs = []
        for _ in range(times):
            done = subprocess.run([*python, "-c", MEASURE], check=True, env=environment, capture_output=True, text=True)
            (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
            runs.append(json.loads(line.removeprefix("FOUND ")))
    wall, cpu = ([run[column] for run in runs] for column in (0, 1))
    print(f"enabling: median {statistics.median(wall):.3f} s, best {min(wall):.3f} s; processor {statistics.median(cpu):.3f} s")
    print(f"{runs[-1][2]} files of its own; other packages loaded: {', '.join(runs[-1][3])}")


if __name__ == "__main__":
    main()
