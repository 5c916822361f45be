"""The colour of hidden surfaces, by one of five inpainters."""
