"""Photo Diorama: one photo becomes a layered, textured, camera-matched diorama in Blender."""
