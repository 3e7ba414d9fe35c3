"""A browser without a screen, driven over a pipe by the protocol that its own tools speak, so that nothing is installed
for it: https://chromedevtools.github.io/devtools-protocol/."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
    "--remote-debugging-pipe",
)
KEYS: Final = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38,
               "ArrowRight": 39, "ArrowDown": 40}  # fmt: skip


class Browser:
    """One process, in which one page after the other is looked at."""

    def __init__(self, write: IO[bytes], read: IO[bytes]) -> None:
        self.write, self.read = write, read
        self.number = 0
        self.rest = b""
        self.session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers; what it tells meanwhile is kept."""
        self.number += 1
        about = {"sessionId": self.session} if self.session else {}
        text = json.dumps({"id": self.number, "method": method, "params": params, **about}).encode()
        self.write.write(text + b"\0")
        while (message := self._message()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, message
        return dict(message["result"])

    def _message(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self.rest:
            more = self.read.read(1 << 16)
            assert more, "the browser has ended"
            self.rest += more
        text, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(text))

    def open(self, path: Path, width: int = 1280, scheme: str = "light", *, scripts: bool = True) -> None:
        """Show a page on a screen of this width."""
        self.events.clear()
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message())

    def says(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            held = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper())), "text": text}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **held)
            self.call("Input.dispatchKeyEvent", type="keyUp", **{**held, "text": ""})

    def click(self, selector: str) -> None:
        """Click the first element of a selector, in its middle."""
        place = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
        box = self.says(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'nearest'}}), {place}")
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    @property
    def faults(self) -> list[Any]:
        """What the page complains about, and what it asked for elsewhere."""
        faults: list[Any] = [
            event["params"]
            for event in self.events
            if event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        ]
        asked = (e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent")
        return faults + [url for url in asked if not url.startswith(("file:", "data:"))]


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser for a while."""
    assert CHROMIUM is not None
    theirs, ours = os.pipe(), os.pipe()

    def pipes() -> None:
        """Where the browser looks for its pipe."""
        held = os.dup(theirs[0]), os.dup(ours[1])
        os.dup2(held[0], 3)
        os.dup2(held[1], 4)

    with subprocess.Popen(
        [CHROMIUM, *OPTIONS], pass_fds=(3, 4), preexec_fn=pipes, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(theirs[0])
        os.close(ours[1])
        with os.fdopen(ours[0], "rb", 0) as read, os.fdopen(theirs[1], "wb", 0) as write:
            try:
                yield Browser(write, read)
            finally:
                process.kill()
