"""The user interface: panels, menus, preferences and the command line."""


def register() -> None:
    for module in _modules():
        module.register()


def unregister() -> None:
    for module in reversed(_modules()):
        module.unregister()


def _modules() -> tuple:
    # imported late: the command line lives in this folder and starts before there is a Blender
    from . import blender_command, drop, menus
    from .panels import (
        camera_panel,
        depth_panel,
        export_panel,
        layers_panel,
        light_panel,
        main_panel,
        output_panel,
        relief_panel,
        safe_range_panel,
    )
    from .preferences import preferences

    return (
        preferences,
        drop,
        main_panel,
        relief_panel,
        depth_panel,
        layers_panel,
        menus,
        blender_command,
        camera_panel,
        safe_range_panel,
        output_panel,
        light_panel,
        export_panel,
    )
