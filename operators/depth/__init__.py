"""Manual depth: picking, painting and editing; regions and layers."""
