"""Base of operators that build: in place for scripts and the redo panel, in a thread when a person waits."""

from __future__ import annotations

from typing import Any

import bpy

from ...core.depth.find_depth import forget_models
from ...core.errors import Cancelled, DioramaError
from ...core.job import Job, Work
from ...core.pipeline import StageCache, silent
from ..on_diorama import report_failure
from .roll_back import all_or_nothing

kept = StageCache()
"""The stages of the last build, so that a changed option repeats only what depends on it."""

running: Job | None = None
"""The build that a person waits for now; the panel shows how far it is."""

LOOK_AGAIN = 0.1
"""Seconds between two checks of the running build."""


PATIENCE = 0.6
"""Seconds that a cancelled build has to end by itself before it is left alone."""


class BuildOperator:
    """Mixin of the operators that build. They define two methods; the work between them needs no Blender:

    `prepare(context) -> Work` reads all that the work needs from Blender and raises DioramaError for bad input;
    `finish(context, result)` writes the work's result into the scene; it may return a sentence to warn with.
    """

    def execute_in_thread(self, context: bpy.types.Context) -> set[str]:
        """`execute` in a thread, so that Blender stays responsive for the person who waits."""
        self._in_thread = not bpy.app.background  # without a window no timer ever fires
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        # only once: the redo panel calls execute again, and that builds in place from what was kept
        in_thread, self._in_thread = getattr(self, "_in_thread", False), False
        try:
            work = self.prepare(context)
            if in_thread:
                return self._start(context, work)
            return self._conclude(context, work(silent))
        except Exception as error:
            return self._failed(error)

    def _start(self, context: bpy.types.Context, work: Work) -> set[str]:
        global running
        if running is not None:
            raise DioramaError("Another photo is being built; wait for it or stop it with Esc.")
        self._timer = context.window_manager.event_timer_add(LOOK_AGAIN, window=context.window)
        context.window_manager.modal_handler_add(self)
        running = self._job = Job(work)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self._job.cancel()
            show_progress(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        ended = self._job.poll()
        show_progress(context)
        if not ended and self._job.seconds_stopping > PATIENCE:
            # a network cannot be stopped within: its thread ends by itself, and what it finds out is not used
            self._stop_waiting(context)
            return self._failed(Cancelled())
        if not ended:
            return {"PASS_THROUGH"}
        self._stop_waiting(context)
        try:
            return self._conclude(context, self._job.result())
        except Exception as error:
            return self._failed(error)

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it ends the operator: a window closes or another file is opened."""
        job = getattr(self, "_job", None)
        if job is not None and job is running:
            job.cancel()
            self._stop_waiting(context)

    def _stop_waiting(self, context: bpy.types.Context) -> None:
        global running
        running = None
        context.window_manager.event_timer_remove(self._timer)
        show_progress(context)

    def _conclude(self, context: bpy.types.Context, result: Any) -> set[str]:
        with all_or_nothing(context.scene):
            note = self.finish(context, result)
        if note:
            self.report({"WARNING"}, note)
        return {"FINISHED"}

    def _failed(self, error: Exception) -> set[str]:
        """Handles every failure of a build: reports a sentence; a fault in Photo Diorama also leaves its traceback."""
        if isinstance(error, Cancelled):
            self.report({"INFO"}, "Stopped; the scene is as it was.")
        else:
            report_failure(self, error)
        return {"CANCELLED"}


def show_progress(context: bpy.types.Context) -> None:
    """Redraws progress in the status bar and the sidebars; without a running build the status bar is Blender's again.

    Only sidebars: redrawing a viewport full of dioramas ten times a second would cost more than the build.
    """
    context.workspace.status_text_set(_draw_status if running is not None else None)
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _draw_status(header, context) -> None:
    row = header.layout.row()
    bar = row.row()
    bar.ui_units_x = 18
    draw_progress(bar)
    row.label(text="Stop", icon="EVENT_ESC")


def draw_progress(layout) -> None:
    """Stage, fraction done and remaining time of the running build."""
    if running is not None:
        text, left = "Stopping" if running.cancelling else running.stage, running.seconds_left
        rest = "" if left is None or running.cancelling else f", {max(1, round(left))} s left"
        layout.progress(factor=running.fraction, text=f"{text} {running.fraction:.0%}{rest}")


class StopBuilding(bpy.types.Operator):
    """Stop building; the scene stays as it was"""

    bl_idname = "photo_diorama.stop"
    bl_label = "Stop"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return running is not None

    def execute(self, context):
        running.cancel()
        return {"FINISHED"}


def register() -> None:
    bpy.utils.register_class(StopBuilding)


def unregister() -> None:
    bpy.utils.unregister_class(StopBuilding)
    if running is not None:
        running.cancel()
    kept.results.clear()
    forget_models()
