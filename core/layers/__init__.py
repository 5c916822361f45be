"""The layered depth image: cut at depth discontinuities, split into layers, linked where pixels belong to one surface."""
