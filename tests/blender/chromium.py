"""A headless Chromium for tests, driven over its debugging pipe: no port, no other program."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip
WAIT = 180
"""Seconds until an answer is given up: this draws on the processor, beside other tests."""


def find() -> str | None:
    """The browser's program; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def decoded(data: str) -> np.ndarray:
    """(h, w, 3) uint8 of a PNG in base64."""
    import cv2

    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


class Page:
    """One page. `faults` are its exceptions and errors on the console so far, `asked_for` the addresses that it asked for."""

    def __init__(self, program: str, size: tuple[int, int], touch: bool = False, sharp: float = 1.0):
        self.faults, self.asked_for, self._number, self._rest, self._events = [], [], 0, b"", []
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self._in = os.pipe()
        self._out, from_browser = os.pipe()

        def pipes():  # it reads from 3 and writes to 4
            high = os.dup(to_browser), os.dup(from_browser)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        command = [program, *FLAGS, f"--user-data-dir={self._folder.name}", f"--window-size={size[0]},{size[1]}", "about:blank"]
        self._process = subprocess.Popen(command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._session = None
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=sharp, mobile=touch)
        if touch:
            self.call("Emulation.setTouchEmulationEnabled", enabled=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    def call(self, method: str, **options) -> dict:
        """The answer to a method of the protocol."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": options}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._in, json.dumps(asked).encode() + b"\0")
        until = time.monotonic() + WAIT
        while True:
            told = self._next(until)
            if told.get("id") == self._number:
                assert "error" not in told, told["error"]
                return told["result"]
            self._note(told)

    def _next(self, until: float) -> dict:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._out], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._out, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        told, _, self._rest = self._rest.partition(b"\0")
        return json.loads(told)

    def _note(self, told: dict) -> None:
        method, said = told.get("method"), told.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(said["exceptionDetails"].get("exception", {}).get("description") or said["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.faults.append(said["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
            self.faults.append(str(said["args"]))
        elif method == "Network.requestWillBeSent":
            self.asked_for.append(said["request"]["url"])

    def value(self, expression: str):
        """What an expression of JavaScript is in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Waits until it is true."""
        end = time.monotonic() + WAIT
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} never came true; {self.faults}"
            time.sleep(0.05)

    def open(self, file: Path, fragment: str = "") -> None:
        """Opens a file of this disk, and waits until the viewer has drawn it or has said why not."""
        self.call("Page.navigate", url=file.absolute().as_uri() + fragment)
        self.until("document.readyState === 'complete' && (!!window.diorama || !!document.querySelector('body > p'))")

    def still(self) -> None:
        """Waits until the picture has come to rest."""
        self.until("diorama.isStill()")

    def place(self) -> tuple[float, float]:
        """Where the picture is tilted to."""
        self.still()
        return tuple(self.value("[diorama.at.x, diorama.at.y]"))

    def picture(self) -> np.ndarray:
        """(h, w, 3) uint8: the canvas as it is drawn now, at one pixel of the device each."""
        data = self.value("diorama.draw(), document.querySelector('canvas').toDataURL('image/png')")
        return decoded(data.split(",")[1])

    def photograph(self) -> np.ndarray:
        """(h, w, 3) uint8: what the whole page looks like. It waits for the browser's next frame, which a busy machine may keep."""
        self.call("Runtime.evaluate", expression="document.querySelector('canvas').style.transition = 'none'")
        return decoded(self.call("Page.captureScreenshot", format="png")["data"])

    def mouse_to(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def finger(self, kind: str, x: float = 0, y: float = 0) -> None:
        """`kind` is touchStart, touchMove or touchEnd."""
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def turn(self, beta: float, gamma: float) -> None:
        """How the phone is held, in degrees."""
        self.call("DeviceOrientation.setDeviceOrientationOverride", alpha=0, beta=beta, gamma=gamma)
