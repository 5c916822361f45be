"""The names of the properties that a diorama's objects and images carry."""

ROLE_KEY = "photo_diorama_role"
"""Custom property that says what a datablock was made for, by which a rebuild finds it again."""

WRITTEN_KEY, DIGEST_KEY, LAYOUT_KEY = "photo_diorama_written", "photo_diorama_digest", "photo_diorama_layout"
"""Custom properties of a texture: the file that we wrote into it, that file's hash, and where its texels lie in the photo, as JSON."""

UNPAINTED_KEY = "photo_diorama_unpainted"
"""Custom property of the soft silhouettes' texture where it follows what was painted on the photo: its file without that."""

SETTINGS_KEY, SOURCE_KEY = "photo_diorama_settings", "photo_diorama_source"

LAYER_EDITS_KEY, LAYER_FILE_KEY = "photo_diorama_layer_edits", "photo_diorama_layer_file"
"""Custom properties of the root: what was changed in the surfaces themselves, and the file of layers that it was updated from last."""
