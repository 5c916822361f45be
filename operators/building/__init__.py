"""Builds, rebuilds and imports a diorama, all or nothing."""
