"""The thin Blender layer: a layered mesh becomes objects, materials and a camera."""


def register() -> None:
    for module in _modules():
        module.register()


def unregister() -> None:
    for module in reversed(_modules()):
        module.unregister()


def _modules() -> tuple:
    # imported late: the command line takes single files of this folder before there is a Blender
    from .building import better_depth, build_operator, defaults, import_photo, model_files, properties, rebuild, update_from
    from .camera import apply_move, camera_lines, depth_of_field, line_length, safe_range, tilt_preview
    from .depth import brushes, change_region, click_region, exchange_depth, invert_depth, layers, mask_overlay, paint_depth, pick_depth
    from .layers import cards, export_layers, update_layers, watch_layers
    from .light import ground, light, relief
    from .output import export_diorama, render_output
    from .repaint import painted, restore_textures
    from .scene import depth_image, focus_scale, root
    from .staging import depth_preview, look_through

    return (
        properties,
        build_operator,
        import_photo,
        rebuild,
        invert_depth,
        depth_preview,
        relief,
        depth_image,
        root,
        painted,
        restore_textures,
        change_region,
        paint_depth,
        exchange_depth,
        brushes,
        mask_overlay,
        pick_depth,
        click_region,
        layers,
        update_from,
        update_layers,
        watch_layers,
        cards,
        better_depth,
        defaults,
        apply_move,
        render_output,
        safe_range,
        tilt_preview,
        ground,
        light,
        depth_of_field,
        focus_scale,
        look_through,
        camera_lines,
        line_length,
        export_diorama,
        export_layers,
        model_files,
    )
