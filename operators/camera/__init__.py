"""The diorama's camera: moves, safe range, depth of field."""
