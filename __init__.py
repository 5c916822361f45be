"""Photo Diorama: one photo becomes a layered, textured, camera-matched diorama in Blender."""

_registered = False


def register() -> None:
    """Blender enables the extension. Nothing of Blender is imported before, so that core works without it."""
    global _registered
    import atexit

    import bpy  # noqa: TID251 - inside, so that core works without it

    from . import operators, ui

    operators.register()
    ui.register()
    _registered = True
    if bpy.app.module:  # Blender as a Python module frees its types before Python's classes of them, and crashes or hangs at exit
        atexit.register(unregister)


def unregister() -> None:
    """Blender disables the extension: everything registered goes, what was kept of the last build, and every network in memory."""
    global _registered
    import atexit

    from . import operators, ui
    from .core.memory import free_caches

    atexit.unregister(unregister)
    if not _registered:  # Blender as a Python module also disables its add-ons at exit
        return
    _registered = False
    ui.unregister()
    operators.unregister()
    free_caches(__package__ or __name__)
