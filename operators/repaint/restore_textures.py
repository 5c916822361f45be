"""The operator that takes back what was painted on the textures."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import bpy

from ...core.errors import DioramaError
from ..on_diorama import ActOnDiorama
from ..scene.keys import UNPAINTED_KEY
from ..scene.root import source_files
from ..scene.surfaces import find_image_nodes, find_images
from ..scene.tint import kept_tint, take_off, tint, tinted_images
from .painted import find_paint, is_linear, renew_image, secure, take_from_tint, written_file
from .painted_rims import remove_photo_from_rims


class RestoreTextures(ActOnDiorama, bpy.types.Operator):
    """Take back what was painted on the textures of this diorama: they become what was built. Images that were kept aside stay"""

    bl_idname = "photo_diorama.restore_textures"
    bl_label = "Restore Textures"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        name="What",
        description="Which textures are restored",
        items=[
            ("ALL", "All", "The photo and all that was invented"),
            ("INVENTED", "Invented", "What was invented behind things and outside the photo's frame"),
            ("PHOTO", "Photo", "The photo itself"),
        ],
    )

    def act(self, context, root):
        take_from_tint(root)
        photo = bpy.path.abspath(source_files(root)[0])
        wanted = {"ALL": ("photo", "atlas", "soft"), "INVENTED": ("atlas",), "PHOTO": ("photo", "soft")}[self.what]
        painted = [image for role, image in find_images(root).items()
                   if role.split()[0] in wanted and (UNPAINTED_KEY in image or find_paint(image, photo))]  # fmt: skip
        if not painted:
            self.report({"INFO"}, f"Nothing was painted on {root.name}.")
            return {"CANCELLED"}
        for image in painted:
            if written_file(image, photo) is None:
                raise DioramaError(f"What {image.name} was before is not in this file any more; rebuild {root.name} with other options.")
        secure(painted, photo)
        nodes = find_image_nodes(root)
        names, overlaid = [], bool(tinted_images(nodes))
        take_off(nodes)
        for image in painted:
            restored, name = _as_built(image, photo), image.name
            image.user_remap(restored)
            bpy.data.images.remove(image)
            restored.name = name
            names.append(name)
        if overlaid:
            tint(nodes, *kept_tint(root))
        return f"Restored: {', '.join(sorted(names))}."


def _as_built(image: bpy.types.Image, photo: str) -> bpy.types.Image:
    """A new image like a painted one, with the file that was built."""
    if UNPAINTED_KEY in image:
        return remove_photo_from_rims(image)
    return renew_image(image, (written_file(image, photo), "Linear Rec.709" if is_linear(image) else "sRGB"))


register, unregister = bpy.utils.register_classes_factory((RestoreTextures,))
