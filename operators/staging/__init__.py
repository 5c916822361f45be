"""Where a new diorama stands, and how a viewport and the scene show it."""
