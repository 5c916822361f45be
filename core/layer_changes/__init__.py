"""What an artist changed in a file of layers, found by comparing it with the layers of a build."""
