"""The web viewer: one HTML file that holds a diorama and tilts it; viewer.js and viewer.html are what it is made of."""
