"""Photo Diorama: one photo becomes a layered, textured, camera-matched diorama in Blender."""


def register() -> None:
    """Blender enables the extension. Nothing of Blender is imported before, so that core works without it."""
    from . import operators, ui

    operators.register()
    ui.register()


def unregister() -> None:
    """Blender disables the extension: everything registered goes, and what was kept of the last build."""
    from . import operators, ui

    ui.unregister()
    operators.unregister()
