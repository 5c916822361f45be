"""One depth file: its numbers as it holds them, which of them are unknown, and what they mean."""
