"""The thin Blender layer: a layered mesh becomes objects, materials and a camera."""


def register() -> None:
    for module in _modules():
        module.register()


def unregister() -> None:
    for module in reversed(_modules()):
        module.unregister()


def _modules() -> tuple:
    # imported late: the command line takes single files of this folder before there is a Blender
    from . import (
        apply_move,
        better_depth,
        brushes,
        build,
        click_region,
        defaults,
        depth_image,
        depth_of_field,
        edit_depth,
        export_diorama,
        focus_scale,
        ground,
        import_photo,
        layers,
        light,
        look_through,
        mask_overlay,
        model_files,
        output,
        paint_depth,
        pick_depth,
        properties,
        rebuild,
        relief,
        safe_range,
        tilt_preview,
        update_from,
    )

    return (
        properties,
        build,
        import_photo,
        rebuild,
        relief,
        depth_image,
        edit_depth,
        paint_depth,
        brushes,
        mask_overlay,
        pick_depth,
        click_region,
        layers,
        update_from,
        better_depth,
        defaults,
        apply_move,
        output,
        safe_range,
        tilt_preview,
        ground,
        light,
        depth_of_field,
        focus_scale,
        look_through,
        export_diorama,
        model_files,
    )
