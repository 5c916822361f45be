"""Node groups made in Python: relief and shadow catcher."""
