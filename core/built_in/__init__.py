"""The networks that come with Photo Diorama. OpenCV runs them, so they work in every Blender without PyTorch."""
