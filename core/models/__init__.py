"""Networks to download: the catalogue, the models folder, and the download itself."""
