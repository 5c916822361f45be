"""The mesh becomes objects, materials and a camera."""
