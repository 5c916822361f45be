"""The web viewer: one HTML file that holds a diorama and tilts it; made of viewer.html and viewer.js."""
