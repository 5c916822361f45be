"""Depth from a file, from within the photo or from a network: one DepthMap, read, edited and sharpened."""
