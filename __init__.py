"""Photo Diorama: one photo becomes a layered, textured, camera-matched diorama in Blender."""


def register() -> None:
    """Blender enables the extension. Nothing of Blender is imported before, so that core works without it."""
    from . import operators, ui

    operators.register()
    ui.register()


def unregister() -> None:
    """Blender disables the extension: everything registered goes, what was kept of the last build, and every network in memory."""
    from . import operators, ui
    from .core.memory import free_caches

    ui.unregister()
    operators.unregister()
    free_caches(__package__ or __name__)
