"""A small HTTP server on this machine, for tests of downloads: whole, in parts, cut short, redirected."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading


class Server(http.server.ThreadingHTTPServer):
    """Serves `body` at every address; `manner`: "ranges", "whole" (knows no Range), "breaks" (half of it), "endless"
    (no Content-Length), an error's number, or an address to redirect to."""

    def __init__(self, body):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.manner, self.ranges = body, "ranges", []
        self.url = f"http://127.0.0.1:{self.server_port}/file.bin"

    def handle_error(self, request, client_address):
        """Silence: a client may hang up before it has got everything."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers["Range"])
        if isinstance(server.manner, int):
            self.send_error(server.manner)
            return
        if ":" in server.manner and self.path != "/moved":
            self.send_response(302)
            self.send_header("Location", server.manner)
            self.end_headers()
            return
        start = 0
        if self.headers["Range"] and server.manner != "whole":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(server.body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        rest = server.body[start:]
        if server.manner != "endless":
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if server.manner == "breaks" else rest)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(body):
    """A context with a Server of `body`, bytes."""
    with Server(body) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def closed_port():
    """The number of a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
