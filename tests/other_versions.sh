#!/bin/sh
# The tests on other Blenders, as far as their Pythons are there: bpy 5.0.1 (Python 3.11), bpy 5.2 LTS (Python 3.13, no torch).
#   other_versions.sh narrow   what differs between Blenders: objects, materials, the operators, the zip's life (a few minutes)
#   other_versions.sh whole    all tests that need Blender
# PYTHON311 and PYTHON313 name the Pythons; on Windows as on other systems, in Git's shell there.
set -e
cd "$(dirname "$0")/.."

case ${1:-whole} in
narrow) tests="tests/blender/test_import_operator.py tests/blender/test_rebuild.py tests/blender/test_edit_depth.py tests/blender/test_zip.py tests/blender_real" ;;
whole) tests="tests/core/test_pipeline.py tests/blender tests/blender_real" ;;
*) echo "choose narrow or whole" && exit 2 ;;
esac

# run FOLDER PYTHON BPY PACKAGES...
run() {
    folder=$1 python=$2 bpy=$3
    shift 3
    if ! "$python" -c "" 2>/dev/null; then
        echo "skipped bpy $bpy: no $python"
        return
    fi
    [ "$(uname -sm)" != "Darwin x86_64" ] || { echo "skipped bpy $bpy: none for Intel Macs"; return; }
    programs=$folder/bin
    case $(uname -s) in MINGW* | MSYS*) programs=$folder/Scripts ;; esac
    if [ ! -e "$folder/ready" ]; then
        "$python" -m venv "$folder"
        "$programs/python" -m pip install --quiet --disable-pip-version-check "bpy==$bpy" "$@" pillow pytest setuptools
        touch "$folder/ready"
    fi
    # shellcheck disable=SC2086
    "$programs/python" -m pytest $tests
}

python313=${PYTHON313:-$(command -v python3.13 || true)}
"${python313:-false}" -c "" 2>/dev/null || python313="$(pyenv root 2>/dev/null)/versions/3.13.0/bin/python3.13"
run .venv-5.0 "${PYTHON311:-python3.11}" 5.0.1 opencv-python-headless==4.11.0.86 scipy==1.17.1 OpenEXR==3.5.3
run .venv-5.2 "$python313" 5.2.3 opencv-python-headless==4.11.0.86 scipy==1.17.1 OpenEXR==3.5.3
