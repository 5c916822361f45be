"""The networks that come with Photo Diorama, run by OpenCV, so that every Blender has them: no PyTorch is needed here."""
