"""The depth of what is hidden: which surface goes on behind the foreground, and where it ends."""
