"""Renders, films and exports."""
