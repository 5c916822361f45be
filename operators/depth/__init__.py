"""Depth picked, painted and edited by hand; regions and layers."""
