"""Many photos: the manifest that remembers them and the worker processes that build them."""
