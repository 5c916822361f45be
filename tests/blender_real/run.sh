#!/bin/sh
# The zips as users get them, in each Blender that can be had here: bpy 4.5, 5.0 and 5.2 with nothing but the zip's own wheels, and
# Debian's program with the bare zip. Transcripts go to dist/transcripts. BLENDER_ROOT: Debian's folder; WHEELS: the wheels' cache.
# EDITION=small builds no full zip, which needs PyTorch's own index. TESTS: some of the tests alone.
set -e
tests=${TESTS:-tests/blender_real}
cd "$(dirname "$0")/../.."
export DIORAMA_ANSWERS="$(pwd)/dist/answers"
rm -rf dist/answers && mkdir -p dist/transcripts dist/answers
version=$(sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)
.venv/bin/python wheels/build_extension.py --target linux-x64-py311 --target linux-x64-py313 --wheels "${WHEELS:-dist/wheels}" ${EDITION:+--edition "$EDITION"}

# module PYTHON BPY ZIP: a Python with Blender and without any package that the zip bundles
module() {
    if ! "$1" -c "" 2>/dev/null; then
        echo "skipped bpy $2: no $1"
        return
    fi
    folder=dist/python-$2
    if [ ! -e "$folder/ready" ]; then
        "$1" -m venv "$folder"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "bpy==$2" pytest
        touch "$folder/ready"
    fi
    DIORAMA_ZIP=dist/photo_diorama-$version-$3.zip DIORAMA_TRANSCRIPT=dist/transcripts/bpy-$2.txt \
        "$folder/bin/python" -m pytest $tests -s --durations=0
}

python313=$(command -v python3.13 || true)
"${python313:-false}" -c "" 2>/dev/null || python313="$(pyenv root 2>/dev/null)/versions/3.13.0/bin/python3.13"
module python3.11 4.5.15 "linux-blender-4.5-5.0-${EDITION:-full}"
module python3.11 5.0.1 linux-blender-4.5-5.0-small
module "$python313" 5.2.3 linux-blender-5.1-and-later-small

root=${BLENDER_ROOT:-dist/debian-blender}
if [ "$(id -u)" = 0 ]; then
    sh tests/blender_real/debian_blender.sh "$root"
    DIORAMA_ZIP=dist/photo_diorama-$version-bare.zip DIORAMA_BLENDER=$root DIORAMA_TRANSCRIPT=dist/transcripts/debian.txt \
        .venv/bin/python -m pytest $tests -s --durations=0
else
    echo "skipped Debian's Blender: a folder with a system of its own needs root"
fi
