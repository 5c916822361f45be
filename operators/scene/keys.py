"""The names of the properties that a diorama's objects and images carry."""

ROLE_KEY = "photo_diorama_role"
"""Custom property that says what a datablock was made for; a rebuild knows it again by this."""


SETTINGS_KEY, SOURCE_KEY = "photo_diorama_settings", "photo_diorama_source"
