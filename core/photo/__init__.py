"""The photo's file: pixels, colour profile, camera and what else it carries."""
