"""The thin Blender layer: a layered mesh becomes objects, materials and a camera."""
