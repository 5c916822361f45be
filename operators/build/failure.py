"""How an operator fails: a sentence in the status bar; a fault of ours also leaves its traceback in the console and in a file."""

from __future__ import annotations

import traceback

import bpy

from ...core.errors import in_a_sentence
from ...core.fault_report import report_fault


def report_failure(operator: bpy.types.Operator, error: Exception) -> None:
    """Reports what went wrong, in the window's words. To be called where the exception is handled."""
    told = in_a_sentence(error)
    if told is not None:
        operator.report({"ERROR"}, told.in_window)
        return
    traceback.print_exception(error)
    about = f"{type(error).__name__}: {error}"
    operator.report({"ERROR"}, f"This is a fault of Photo Diorama ({about}); {report_fault(error)}.")
