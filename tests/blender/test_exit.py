"""A script that switches the add-on on in Blender as a Python module, and ends without switching it off, ends well."""

import subprocess
import sys

import pytest

SCRIPTS = {
    "switched on": "photo_diorama.register()",
    "off and on again": "photo_diorama.register(); photo_diorama.unregister(); photo_diorama.register()",
    "switched off": "photo_diorama.register(); photo_diorama.unregister()",
    "a new file": "photo_diorama.register(); bpy.ops.wm.read_factory_settings(use_empty=True)",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_python_ends_well(script):
    done = subprocess.run([sys.executable, "-c", f"import bpy, photo_diorama; {script}"], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0 and "Not freed" not in done.stderr + done.stdout, done.stderr
