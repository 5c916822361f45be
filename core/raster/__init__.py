"""Functions on pixel arrays that several rooms need."""
