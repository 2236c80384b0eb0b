"""Connects host names to servers on this machine, for programs that use an HTTPS proxy."""

import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Tunnel(socketserver.ThreadingTCPServer):
    """An HTTP proxy that supports only CONNECT, to `ports` by host; it refuses every other host.

    `asked` has every host that it was asked for.
    """

    daemon_threads = True

    def __init__(self, ports: Mapping[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.ports = ports
        self.asked: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def tunnel_to(ports: Mapping[str, int]) -> Iterator[Tunnel]:
    with Tunnel(ports) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        tunnel = self.server
        assert isinstance(tunnel, Tunnel)
        _, target, _ = self.rfile.readline().decode("ascii").split()
        while self.rfile.readline().strip():
            pass
        host = target.rpartition(":")[0]
        tunnel.asked.add(host)
        if host not in tunnel.ports:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", tunnel.ports[host])) as server:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pass_on(self.connection, server)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Both ways, until one side ends."""
    to = {one: other, other: one}
    with selectors.DefaultSelector() as ready:
        for each in to:
            ready.register(each, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if not (content := source.recv(65536)):
                    return
                to[source].sendall(content)
