"""A server that gives the answers that a test sets."""

import json
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from clients.http import FORM
from sandbox.servers.keys import Keys

# A status and a document, or text as bytes, or what makes them of the request's document.
Answer = tuple[int, Any] | Callable[[Any], tuple[int, Any]]


def listed(*objects: object) -> tuple[int, Any]:
    """The answer to a list."""
    return 200, {"items": list(objects)}


class FakeServer:
    """`answers` by "METHOD /path", without the query; what is not among them is a 404.

    `secrets` are the credentials that it was sent.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.secrets: set[str] = set()

    def answer(self, method: str, path: str, document: Any) -> tuple[int, Any]:
        question = f"{method} {path}"
        self.asked.append(question)
        answer = self.answers.get(question, (404, {}))
        return answer(document) if callable(answer) else answer


@contextmanager
def serving(keys: Keys | None) -> Generator[FakeServer]:
    """A fake server on a free port of 127.0.0.1, with the certificate of `keys`; None: no TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            for name in ("Authorization", "X-Vault-Token"):
                if value := self.headers.get(name):
                    fake.secrets.add(value.split()[-1])
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = self.headers.get("Content-Type") == FORM
            body = dict(parse_qsl(text)) if form else json.loads(text) if text else None
            path, _, _ = self.path.partition("?")
            status, document = fake.answer(str(self.command), path, body)
            is_text = isinstance(document, bytes)
            content = document if is_text else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_LIST = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if keys:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys.server_cert, keys.server_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    fake = FakeServer(f"{'https' if keys else 'http'}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
