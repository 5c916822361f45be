"""The extension's preferences."""
