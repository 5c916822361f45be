"""What an artist paints on the textures of a diorama: recognised, kept, carried through rebuilds, taken back."""
