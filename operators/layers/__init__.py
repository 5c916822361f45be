"""Layers that come back from other programs, and surfaces laid on cards."""
