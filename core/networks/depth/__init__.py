"""Networks that estimate depth from one photo."""
