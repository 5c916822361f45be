"""Networks that inpaint colour, depth and edges."""
