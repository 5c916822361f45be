"""The depth of hidden surfaces: which surface continues behind the foreground, and where it ends."""
