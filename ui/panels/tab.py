"""Base classes of all boxes in the sidebar's tab."""

from __future__ import annotations

from ...operators.scene.root import find_root


class TabPanel:
    """Mixin: a box of the tab in the 3D viewport's sidebar."""

    bl_category = "Photo Diorama"
    bl_space_type, bl_region_type = "VIEW_3D", "UI"


class DioramaPanel(TabPanel):
    """Mixin: a box about the selected diorama, closed at first and absent without one."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return find_root(context.object) is not None
