"""The photo's file: pixels, colour profile, camera and embedded data."""
