"""A page in headless Chromium, driven over its debugging protocol: layout, errors, what those who cannot see it get."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 120.0  # for an answer of the browser

# A page whose width changed is laid out more than once, and its bars move to their places: 1 334 px of 1 280 for 80 ms.
RESTED = """
(async () => {
  const frame = () => new Promise(r => setTimeout(() => requestAnimationFrame(r), 50));
  const moves = () => document.getAnimations().some(a => a.effect.getComputedTiming().endTime !== Infinity);
  const size = () => `${innerWidth} ${document.scrollingElement.scrollWidth} ${document.scrollingElement.scrollHeight}`;
  for (let same = 0, frames = 0, last = ''; same < 3 && frames < 200; frames++) {
    await frame();
    same = !moves() && size() === last ? same + 1 : 0;
    last = size();
  }
})()
"""

# What is wrong with a page, in the page's own words; contrast is that of WCAG, 4.5 of small text and 3 of large text.
CHECKS = """
(() => {
  const found = [];
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth + 1) found.push(`scrolls sideways: ${root.scrollWidth} > ${innerWidth}`);
  if (!document.documentElement.lang) found.push('no language');
  if (document.querySelectorAll('h1').length !== 1) found.push(`${document.querySelectorAll('h1').length} h1`);
  document.querySelectorAll('img').forEach(i => { if (!i.getAttribute('alt')) found.push(`no alt: ${i.src}`); });
  document.querySelectorAll('a[href]').forEach(a => {
    if (!(a.innerText + (a.getAttribute('aria-label') || '') + (a.title || '')).trim() && !a.querySelector('img,svg'))
      found.push(`empty link: ${a.outerHTML.slice(0, 80)}`);
  });
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (twice.length) found.push(`ids twice: ${[...new Set(twice)].slice(0, 5)}`);
  const words = document.createTreeWalker(document.querySelector('article') || document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    if (words.currentNode.parentElement.closest('code, pre, math, script, style, table, .output, svg')) continue;
    const raw = words.currentNode.data.match(/`[^`]+`|\\$[^$]*\\\\[a-z]+[^$]*\\$|\\*\\*[^*]+\\*\\*|\\]\\([^)]+\\)/);
    if (raw) found.push(`Markdown as it was typed: ${raw[0].slice(0, 60)}`);
  }
  let level = 0;
  document.querySelectorAll('article :is(h1,h2,h3,h4,h5,h6)').forEach(h => {
    const own = Number(h.tagName[1]);
    if (level && own > level + 1) found.push(`heading skips a level: ${h.innerText.slice(0, 40)}`);
    level = own;
  });
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const colours = new Map(), grounds = new Map([[null, [255, 255, 255]]]);  // many words, few colours
  const kept = (known, key, of) => { if (!known.has(key)) known.set(key, of()); return known.get(key); };
  const painted = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const rgba = c => kept(colours, c, () => painted(c));
  const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3]));
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const lum = c => { const l = c.map(v => linear(v / 255));
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const ground = e => kept(grounds, e, () => over(rgba(getComputedStyle(e).backgroundColor), ground(e.parentElement)));
  const poor = new Set();
  const walker = document.createTreeWalker(document.querySelector('article') || document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !e.offsetParent || e.closest('.headerlink, script, style, svg, math')) continue;
    const style = getComputedStyle(e), back = ground(e), front = over(rgba(style.color), back);
    const [a, b] = [lum(front), lum(back)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5))
      poor.add(`contrast ${ratio.toFixed(1)} of ${e.tagName}.${e.className}: ${text.slice(0, 25)}`);
  }
  found.push(...[...poor].slice(0, 6));
  return found;
})()
"""


class Browser:
    """One tab, whose width can be set."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number, self.events = socket, 0, list[dict[str, Any]]()

    def call(self, method: str, **parameters: Any) -> Any:
        """A command of the debugging protocol and its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = self._socket.receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer.get("result", {})
            self.events.append(answer)

    def open(self, address: str, width: int, *, dark: bool = False) -> None:
        """Load a page at a width."""
        self.events.clear()
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.resize(width)
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._socket.receive())

    def resize(self, width: int) -> None:
        """Make the page as wide as a phone or a desktop."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the page that is open, at the width it has."""
        self.call("Runtime.evaluate", expression=RESTED, awaitPromise=True)
        found = self.call("Runtime.evaluate", expression=CHECKS, returnByValue=True)["result"]["value"]
        return (*found, *map(_message, filter(_is_error, self.events)))

    def picture(self, width: int) -> bytes:
        """A PNG of the first screens of the page that is open."""
        height = self.call("Runtime.evaluate", expression="document.documentElement.scrollHeight")["result"]["value"]
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, 4000), "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])


def _is_error(event: dict[str, Any]) -> bool:
    parameters = event.get("params", {})
    match event.get("method"):
        case "Runtime.exceptionThrown":
            return True
        case "Runtime.consoleAPICalled":
            return parameters["type"] in {"error", "assert"}
        case "Log.entryAdded":
            return parameters["entry"]["level"] == "error"
    return False


def _message(event: dict[str, Any]) -> str:
    return f"console: {json.dumps(event['params'])[:300]}"


class _Socket:
    """A web socket whose calls wait for their end."""

    def __init__(self, address: str) -> None:
        from tornado.websocket import websocket_connect

        self._loop = asyncio.new_event_loop()
        self._connection = self._wait(lambda: websocket_connect(address, max_message_size=1 << 28))

    def send(self, text: str) -> None:
        self._wait(lambda: self._connection.write_message(text))

    def receive(self) -> dict[str, Any]:
        return json.loads(self._wait(self._connection.read_message))

    def close(self) -> None:
        async def ended() -> None:  # where the connection finds its loop
            self._connection.close()

        self._loop.run_until_complete(ended())
        self._loop.close()

    def _wait(self, start: Callable[[], Any]) -> Any:
        async def ended() -> Any:
            return await asyncio.wait_for(start(), SECONDS)

        return self._loop.run_until_complete(ended())


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium with one tab."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        options += ["--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        reader = None
        process = subprocess.Popen([str(CHROMIUM), *options, "about:blank"], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            lines = (re.search(r"ws://([^/]+)/", line) for line in process.stderr)
            host = next(match[1] for match in lines if match)
            reader = threading.Thread(target=process.stderr.read, daemon=True)
            reader.start()
            socket = _Socket(_tab(host))
            tab = Browser(socket)
            for domain in ("Page", "Runtime", "Log"):
                tab.call(f"{domain}.enable")
            yield tab
            socket.close()
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)
            if reader is not None:
                reader.join(SECONDS)
            process.stderr.close()


def _tab(host: str) -> str:
    from urllib.request import urlopen

    tabs = json.loads(urlopen(f"http://{host}/json", timeout=SECONDS).read())
    return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder on an address of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
