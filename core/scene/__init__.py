"""What goes into the scene besides the mesh: relief, ground plane, output."""
