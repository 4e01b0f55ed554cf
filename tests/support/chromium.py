"""A real browser without a window, told what to do over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
START_LIMIT = 60.0
CALL_LIMIT = 30.0


@dataclass(frozen=True)
class Screen:
    """What a page is shown on."""

    width: int
    height: int
    phone: bool = False
    dark: bool = False
    javascript: bool = True


class Tab:
    """One page. ``requests`` lists every address that it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self.requests: list[str] = []
        self.problems: list[str] = []

    async def open(self, url: str, screen: Screen) -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=screen.width,
            height=screen.height,
            deviceScaleFactor=2 if screen.phone else 1,
            mobile=screen.phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if screen.dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Emulation.setScriptExecutionDisabled", value=not screen.javascript)
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(CALL_LIMIT):
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression; promises are awaited."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until the expression is true; the page looks at it at every frame."""
        await self.evaluate(
            f"new Promise(done => {{ const look = () => {expression} ? done(true) "
            ": requestAnimationFrame(look); look(); })"
        )

    async def screenshot(self, clip: Mapping[str, float] | None = None) -> bytes:
        """PNG of what is seen, or of a part of it (``x y width height scale``)."""
        answer = await self.call("Page.captureScreenshot", **({"clip": clip} if clip else {}))
        return base64.b64decode(answer["data"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(CALL_LIMIT):
            return await answer

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(json.loads(message.data))

    def _take(self, said: dict[str, Any]) -> None:
        if (answer := self._answers.pop(said.get("id", 0), None)) is not None:
            if "error" in said:
                answer.set_exception(AssertionError(said["error"]))
            else:
                answer.set_result(said["result"])
            return
        match said.get("method"):
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            case "Runtime.exceptionThrown" | "Log.entryAdded":
                self.problems.append(json.dumps(said["params"]))


class Chromium:
    """A started browser, at ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address

    @contextlib.asynccontextmanager
    async def tab(self, url: str, screen: Screen) -> AsyncIterator[Tab]:
        async with aiohttp.ClientSession(self._address) as session:
            async with session.put("/json/new?about:blank") as answer:
                target = await answer.json(content_type=None)
            socket = await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=64 << 20)
            tab = Tab(socket)
            try:
                await tab.open(url, screen)
                yield tab
            finally:
                await tab.close()
                async with session.get(f"/json/close/{target['id']}"):
                    pass


@contextlib.contextmanager
def chromium(program: Path) -> Iterator[Chromium]:
    """Start ``program``, and end it and what it wrote at the end."""
    home = Path(tempfile.mkdtemp(prefix="chromium-"))
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={home}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Chromium(f"http://127.0.0.1:{_port(home, process)}")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _port(home: Path, process: subprocess.Popen[bytes]) -> int:
    said, until = home / "DevToolsActivePort", time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        lines = said.read_text().splitlines() if said.exists() else []
        if lines:
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError(f"the browser did not start within {START_LIMIT:.0f} s")
