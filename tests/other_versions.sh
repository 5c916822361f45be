#!/bin/sh
# The scene code on other Blenders, as far as their Pythons are there: bpy 5.0.1 (Python 3.11), bpy 5.2 LTS (Python 3.13, no torch).
set -e
cd "$(dirname "$0")/.."

# run FOLDER PYTHON BPY PACKAGES...
run() {
    folder=$1 python=$2 bpy=$3
    shift 3
    if ! "$python" -c "" 2>/dev/null; then
        echo "skipped bpy $bpy: no $python"
        return
    fi
    if [ ! -e "$folder/ready" ]; then
        "$python" -m venv "$folder"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "bpy==$bpy" "$@" pillow pytest setuptools
        touch "$folder/ready"
    fi
    "$folder/bin/python" -m pytest tests/core/test_pipeline.py tests/blender
}

run .venv-5.0 python3.11 5.0.1 opencv-python-headless==4.11.0.86 scipy==1.17.1
run .venv-5.2 "$(pyenv root 2>/dev/null)/versions/3.13.0/bin/python3.13" 5.2.3 opencv-python-headless==4.11.0.86 scipy
