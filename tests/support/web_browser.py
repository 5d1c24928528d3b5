"""A real Chromium, driven over its DevTools protocol: what a page looks like and what it asks for.

async with Browser(peer("chromium")) as browser:
    await browser.open("http://127.0.0.1:9514/", width=390, height=844)
    assert await browser.value("document.title") == "…"
"""

import asyncio
import base64
import itertools
import tempfile
from pathlib import Path
from typing import Any, Self

import aiohttp

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
#: Seconds that a browser may take to start, or to answer, on a machine that is busy with other tests.
PATIENCE_S = 40.0
#: As much as a DevTools answer may be: a screenshot of a long page.
MAX_ANSWER = 64 * 2**20


class Browser:
    """One browser with one page. ``requested`` are the addresses that the page asked for, ``said`` its complaints."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._numbers = itertools.count(1)
        self.requested: list[str] = []
        self.said: list[str] = []

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="eventd-browser", ignore_cleanup_errors=True)
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            *FLAGS,
            f"--user-data-dir={self._folder.name}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._client = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._socket = await self._client.ws_connect(await self._page(), max_msg_size=MAX_ANSWER)
            for domain in ("Page", "Network", "Log", "Runtime"):
                await self.call(f"{domain}.enable")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        self._folder.cleanup()

    async def _page(self) -> str:
        """Address of the page's DevTools socket, as soon as the browser has one."""
        file = Path(self._folder.name, "DevToolsActivePort")
        while not (file.exists() and "\n" in file.read_text()):
            assert self._process.returncode is None, "chromium ended at once"
            await asyncio.sleep(0.05)
        port = file.read_text().splitlines()[0]
        while True:
            async with self._client.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await asyncio.sleep(0.05)

    async def call(self, method: str, until: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One DevTools command; with ``until`` also wait for that event."""
        number, waiting, result = next(self._numbers), {until} - {None}, None
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_S):
            while result is None or waiting:
                message = await self._socket.receive_json()
                waiting.discard(message.get("method"))
                self._note(message)
                if message.get("id") == number:
                    assert "error" not in message, message
                    result = message["result"]
        return result

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        elif message.get("method") == "Log.entryAdded":
            self.said.append(message["params"]["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(message["params"]["exceptionDetails"]))

    async def open(self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Go to a page on a screen of that size in CSS pixels, and wait until it is loaded."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", until="Page.loadEventFired", url=url)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression is worth on the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def picture(self, file: str, *, whole: bool = True) -> None:
        """A screenshot as PNG, of the whole page or of what is on the screen."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(file).write_bytes(base64.b64decode(answer["data"]))
