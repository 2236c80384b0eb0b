"""A proxy for a server over HTTPS, which answers or breaks the connection as a test requests."""

import json
import re
import ssl
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import urllib3

from sandbox.servers.keys import Keys

# Of one connection, and so not to be passed on.
OWN_HEADERS = frozenset({"connection", "content-length", "host", "transfer-encoding"})


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# Gets a function that has the server do the request. None, from either: the connection breaks.
Forward = Callable[[], Answer | None]
Fault = Callable[[Forward], Answer | None]


@dataclass
class Rule:
    """The fault of the first `times` requests, or of all, that match `request`.

    That is a regular expression for `METHOD /path?query`; the path of a POST that makes an object
    has the object's name too.
    """

    request: str
    fault: Fault
    times: int | None = 1
    befallen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, request: str) -> bool:
        with self._lock:
            spent = self.times is not None and self.befallen >= self.times
            if spent or not re.search(self.request, request):
                return False
            self.befallen += 1
            return True


def answering(status: int, **headers: str) -> Fault:
    """That status, with nothing done; `Retry_After` is the header `Retry-After`."""
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda forward: Answer(status, fields, b'{"message": "a fault", "errors": []}')


def dropped_before(forward: Forward) -> None:
    """The request never reaches the server."""


def dropped_after(forward: Forward) -> None:
    """The server carries it out, and its answer is lost."""
    forward()


@contextmanager
def proxied(server: str, keys: Keys, rules: Sequence[Rule]) -> Generator[str]:
    """The address of a proxy before `server`, with the same certificate.

    The first of `rules` that takes a request tells what becomes of it; else it is passed on.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.server_cert, keys.server_key)
    pool = urllib3.PoolManager(maxsize=32, ca_certs=str(keys.ca_cert))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = f"{self.command} {_path_of_object(self.path, body)}"
            rule = next((rule for rule in rules if rule.takes(request)), None)
            answer = rule.fault(lambda: self.forward(body)) if rule else self.forward(body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, text in _passed_on(answer.headers).items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = pass_on  # noqa: N815

        def forward(self, body: bytes) -> Answer | None:
            try:
                answer = pool.request(
                    str(self.command),
                    f"{server}{self.path}",
                    body=body,
                    headers=_passed_on(self.headers),
                    retries=False,
                    decode_content=False,
                )
            except urllib3.exceptions.HTTPError:  # the server is not there
                return None
            return Answer(answer.status, answer.headers, answer.data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test's output is its own."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()


def _path_of_object(path: str, body: bytes) -> str:
    """With the name of the object that the body has, as in the requests that change it."""
    try:
        name = json.loads(body)["metadata"]["name"]
    except (ValueError, TypeError, KeyError):
        return path
    collection, question_mark, query = path.partition("?")
    return path if collection.endswith(f"/{name}") else f"{collection}/{name}{question_mark}{query}"


def _passed_on(headers: Mapping[str, str] | Message) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name.lower() not in OWN_HEADERS}
