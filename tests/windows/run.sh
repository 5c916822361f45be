#!/bin/sh
# run.sh [PYTEST ARGUMENTS]: tests under Wine with the small Windows zip's wheels, bpy 4.5 for Windows and the C++ runtime of Blender 4.5.
# `make test-windows`. Needs wine, wine64 and gcc-mingw-w64-x86-64 (apt-get install --no-install-recommends); skipped without.
set -e
cd "$(dirname "$0")/../.."
for tool in wine x86_64-w64-mingw32-gcc unzip; do
    command -v $tool >/dev/null || { echo "skipped the tests under Wine: no $tool"; exit 0; }
done
folder=$(pwd)/dist/windows version=$(sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)
zip=dist/photo_diorama-$version-windows-blender-4.5-5.0-small.zip
[ -e "$zip" ] || .venv/bin/python wheels/build_extension.py --target windows-x64-py311 --edition small --wheels "${WHEELS:-dist/wheels}" --no-repository
PYTHON=.venv/bin/python sh tests/windows/prepare.sh "$folder" "$zip"
export WINEPREFIX="$folder/prefix" WINEDEBUG=-all KMP_AFFINITY=disabled PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1
export WINEDLLOVERRIDES="msvcp140,msvcp140_1,msvcp140_2,concrt140,vcruntime140,vcruntime140_1,bcryptprimitives=n,b;mscoree,mshtml,winemenubuilder.exe="
export PYTHONHOME="Z:$(echo "$folder/python" | tr / '\\')"
unset DISPLAY
[ $# -gt 0 ] || set -- tests/windows/test_windows.py tests/core/test_built_in.py tests/core/test_pipeline.py tests/core/raster tests/core/depth/test_find_depth.py
# standard input is a pipe that stays open, and what is said goes into one: of files, and of pipes that were closed, Wine's Python makes nothing
pipe=$(mktemp -u) && mkfifo "$pipe" && exec 3<>"$pipe" && rm "$pipe"
wine "$folder/python/python.exe" -m pytest -p no:cacheprovider -s "$@" <&3 2>&1 | cat
