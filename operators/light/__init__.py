"""Light on the diorama: materials, ground, relief."""
