"""Everything that turns a photo into a layered mesh; knows nothing of Blender."""
