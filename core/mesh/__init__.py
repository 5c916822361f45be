"""The layered depth image as a textured mesh."""
