#!/bin/sh
# Debian's own Blender in a folder, with the Python packages that the bare zip needs: about two minutes, 3 GB. Needs root.
#   debian_blender.sh FOLDER [sid|trixie]
# Then: chroot FOLDER env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 blender -b ...
set -eu
folder=${1:?which folder} suite=${2:-sid}
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
[ ! -e "$folder/ready" ] || exit 0
mkdir -p "$folder"
command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq debootstrap >/dev/null; }
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -x "$folder/usr/bin/apt-get" ] || debootstrap --variant=minbase "$suite" "$folder" ${mirror:+"$mirror"} >"$folder.log" 2>&1
cp /etc/resolv.conf "$folder/etc/"
ln -sf /proc/self/mounts "$folder/etc/mtab"
# a mirror of sid may lag behind by more than its lists are valid for
printf 'Acquire::Check-Valid-Until "false";\nAcquire::Languages "none";\nAPT::Install-Recommends "0";\n' \
    >"$folder/etc/apt/apt.conf.d/99small"
printf 'path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' >"$folder/etc/dpkg/dpkg.cfg.d/99small"
chroot "$folder" apt-get update -qq
extra=$([ "$suite" != sid ] || echo python3-cattr) # Blender's extension manager needs it there and does not ask for it
chroot "$folder" apt-get install -y -qq blender python3-numpy python3-requests python3-zstandard $extra \
    libgl1-mesa-dri libegl-mesa0 libegl1 libglx-mesa0 xvfb xdotool imagemagick python3-torch python3-opencv python3-scipy python3-pil python3-safetensors \
    >>"$folder.log" 2>&1
chroot "$folder" env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 blender -b --factory-startup --python-exit-code 3 \
    --python-expr "import bpy, sys, torch, cv2, scipy, PIL, safetensors; print('Blender', bpy.app.version_string, 'Python', sys.version.split()[0], 'torch', torch.__version__)" |
    grep '^Blender 5\|^Blender 4.*Python'
touch "$folder/ready"
