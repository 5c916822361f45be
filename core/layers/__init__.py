"""The layered depth image: cut at depth discontinuities, split into layers, linked where they hang together."""
