"""The colour of what is hidden, by one of five inpainters."""
