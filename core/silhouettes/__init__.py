"""Gives soft depth one step at each silhouette: finds ramps, keeps the certain ones, labels both sides, continues each surface."""
