"""What operators on a diorama share: which diorama is meant, how they fail, and some properties that they declare."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ..core.errors import DioramaError, to_user_error
from ..core.fault_report import report_fault
from .scene.root import find_root

NAVIGATING = {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "WHEELINMOUSE", "WHEELOUTMOUSE", "TRACKPADPAN", "TRACKPADZOOM"}
"""Events that a modal operator leaves to the viewport."""


class OnDiorama:
    """Mixin of operators on the diorama that the active object belongs to: `poll` says what has to be selected."""

    may_be_linked = False
    """Whether a diorama of another .blend will do."""
    in_object_mode = False
    """Whether the operator works in object mode only."""

    @classmethod
    def poll(cls, context):
        root = find_root(context.object)
        if root is None or (root.library is not None and not cls.may_be_linked):
            cls.poll_message_set("Select a diorama, or one of its layers")
            return False
        if cls.in_object_mode and context.mode != "OBJECT":
            cls.poll_message_set("Leave the edit or paint mode first")
            return False
        return True


class ActOnDiorama(OnDiorama):
    """Mixin of operators that work at once. `act(context, root)` does the work and returns a sentence to tell, nothing, or the
    operator's result where that is not FINISHED."""

    def execute(self, context):
        try:
            answer = self.act(context, find_root(context.object))
        except Exception as error:
            report_failure(self, error)
            return {"CANCELLED"}
        if isinstance(answer, set):
            return answer
        if answer:
            self.report({"INFO"}, answer)
        return {"FINISHED"}


def report_failure(operator: bpy.types.Operator, error: Exception) -> None:
    """Reports what went wrong in one sentence, in the window's words. A fault in Photo Diorama also leaves its traceback in the console
    and in a file. To be called where the exception is handled."""
    sentence = to_user_error(error)
    if sentence is not None:
        operator.report({"ERROR"}, sentence.in_window)
        return
    traceback.print_exception(error)
    about = f"{type(error).__name__}: {error}"
    operator.report({"ERROR"}, f"This is a fault of Photo Diorama ({about}); {report_fault(error)}.")


@contextmanager
def calling_an_operator() -> Iterator[None]:
    """An error that another operator reports comes out of `bpy.ops` as RuntimeError; it goes on as DioramaError."""
    try:
        yield
    except RuntimeError as error:
        raise DioramaError(str(error).strip().removeprefix("Error: ")) from None


def point_property(description: str = "Place on the photo, right and down from 0 to 1"):
    """A declared property for a place on the photo."""
    return bpy.props.FloatVectorProperty(name="Point", description=description, size=2, default=(0.5, 0.5), min=0.0, max=1.0)
