"""A layout that writes down what is drawn on it, and refuses what the real one would."""

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")


class FakeLayout:
    """Stands for bpy.types.UILayout: every row, label and button, with the section it is in. Sections are open but those `closed`."""

    def __init__(self, told=None, section="", closed=()):
        self.__dict__.update(told=[] if told is None else told, section=section, closed=closed)

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, f"UILayout has no {name}"
        self.__dict__[name] = value

    def _part(self, **said):
        return FakeLayout(self.told, self.section, self.closed)

    def row(self, align=False, heading=""):
        return self._part()

    def column(self, align=False, heading=""):
        return self._part()

    def split(self, factor=0.0, align=False):
        return self._part()

    def box(self):
        return self._part()

    def panel(self, idname, default_closed=False):
        return self._part(), None if idname in self.closed else FakeLayout(self.told, idname, self.closed)

    def separator(self, factor=1.0):
        self.told.append(("separator", self.section, ""))

    def label(self, text="", icon="NONE"):
        assert isinstance(text, str)
        self.told.append(("label", self.section, text))

    def prop(self, data, property, text=None, icon="NONE", placeholder="", expand=False):
        custom = property.startswith('["') and property[2:-2] in data.keys()
        assert custom or property in data.bl_rna.properties, f"{data} has no {property}"
        self.told.append(("prop", self.section, property))

    def progress(self, text="", factor=0.0, type="BAR"):
        assert 0 <= factor <= 1
        self.told.append(("progress", self.section, (text, factor)))

    def operator(self, operator, text=None, icon="NONE", depress=False):
        group, name = operator.split(".")
        properties = getattr(getattr(bpy.ops, group), name).get_rna_type().properties  # raises for an unknown operator
        button = Button(properties)
        self.told.append(("operator", self.section, (operator, button)))
        return button

    def rows(self) -> list[tuple[str, str]]:
        """(section, property) of every property drawn."""
        return [(section, what) for kind, section, what in self.told if kind == "prop"]

    def said(self, kind: str) -> list:
        return [what for each, _, what in self.told if each == kind]


class Button:
    """What `operator` returns: takes the operator's own properties only."""

    def __init__(self, properties):
        self.__dict__["properties"] = properties

    def __setattr__(self, name, value):
        assert name in self.properties, f"the operator has no {name}"
        self.__dict__[name] = value
