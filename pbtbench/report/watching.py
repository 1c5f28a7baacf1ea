"""A study's report, served to this machine's browsers and made anew when a run was kept.

It stands in memory: nothing is written beside a study that may be running, and nothing of the disk is served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pbtbench.errors import BadInput, Failed
from pbtbench.store import Store

HERE = "127.0.0.1"

PAUSE_S, SHARE = 2.0, 0.25
"""Seconds between two looks at the folder at least, and the share of the time that looking may take."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Of files; any other is plain text."""


@dataclass(frozen=True)
class Served:
    """A report as it is served."""

    version: str
    files: dict[str, bytes]
    """Path in the report -> what is in it."""


@dataclass
class Watched:
    """The report of a study's folder, as of the last look at it."""

    store: Store
    served: Served = field(default_factory=lambda: Served("", {}))
    _state: tuple[int, int] | None = None

    def look(self) -> bool:
        """Make the report anew if a run was kept since the last look, or none was made yet; whether it was.
        `BadInput` or `Failed` if the folder can't be read."""
        from pbtbench.report.build import build

        state = self.store.state()
        if state == self._state:
            return False
        version = f"{time.time_ns():x}"
        files = build(self.store, self.store.runs(), version)
        self.served = Served(version, {name: text.encode() for name, text in files.items()})
        self._state = state
        return True

    def keep(self, say: Callable[[str], None]) -> None:
        """Look again and again, until Ctrl-C. What can't be read meanwhile is said, once."""
        last = ""
        while True:
            started = time.monotonic()
            try:
                self.look()
                last = ""
            except (BadInput, Failed) as error:
                if str(error) != last:
                    last = str(error)
                    say(last)
            took_s = time.monotonic() - started
            time.sleep(max(PAUSE_S, took_s / SHARE))


@contextmanager
def serving(watched: Watched, port: int) -> Iterator[str]:
    """Serve the report to this machine; its address. `BadInput` if the port is taken. `port`: 0 for any."""
    try:
        server = ThreadingHTTPServer((HERE, port), _handler(watched))
    except OSError as error:
        why = error.strerror or error
        raise BadInput(
            f"--port {port}: {why}; give another, or none for any that is free"
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://{HERE}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(watched: Watched) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        """Seconds for which a silent browser is waited for."""

        def do_GET(self) -> None:
            served, name = watched.served, unquote(urlsplit(self.path).path)[1:] or "index.html"
            if not self._for_us():
                self._answer(HTTPStatus.FORBIDDEN, b"asked for under another name")
            elif name == "version":
                self._answer(HTTPStatus.OK, served.version.encode())
            elif name in served.files:
                self._answer(HTTPStatus.OK, served.files[name], PurePosixPath(name).suffix)
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"no such file in the report")

        def _for_us(self) -> bool:
            """Whether it is asked for by this machine's name: a site's, made to lead here, gets nothing."""
            port = self.connection.getsockname()[1]
            return self.headers.get("Host") in {f"{HERE}:{port}", f"localhost:{port}"}

        def _answer(self, status: HTTPStatus, body: bytes, suffix: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", TYPES.get(suffix, "text/plain; charset=utf-8"))
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is said of requests."""

    return Handler
