"""Work on plain pixel arrays that several rooms need."""
