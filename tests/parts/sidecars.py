"""Pods' networks: the sidecar and a stand-in for the app, as processes in their own namespaces.

What istiod injected into a pod runs here, with its arguments, environment and iptables rules, and
the Envoy that the Envoy project releases. Needs root and Linux.
"""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from binaries import istio
from clients.kubernetes import Cluster, Object
from sandbox.servers.parts import PATH

PROGRAMS = ("ip", "iptables", "nsenter", "unshare")
SIDECARS_USER = 1337
CERTIFICATES = "certificates"  # the folder of an agent's own
_NEW_NETWORK = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)

# Answers every path; says who called, by the certificate that the sidecar has verified. Port, and
# for HTTPS a file with certificate and key.
APP = """
import ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class App(BaseHTTPRequestHandler):
    def do_GET(self):
        caller = self.headers.get("x-forwarded-client-cert", "")
        body = b"app_requests_total 7\\n" if self.path == "/metrics" else caller.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("", int(sys.argv[1])), App)
for file in sys.argv[2:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
# A nameserver at an address that knows one address, of every host.
NAMES = """
import socket, sys
here, known = sys.argv[1:]
with socket.socket(socket.AF_INET6 if ":" in here else socket.AF_INET, socket.SOCK_DGRAM) as asked:
    asked.bind((here, 53))
    while True:
        query, client = asked.recvfrom(512)
        end = query.index(0, 12) + 5
        found = query[end - 4 : end - 2] == b"\\0\\1"
        record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0<\\0\\4" + socket.inet_aton(known)
        counts = b"\\0\\1\\0" + bytes([found]) + bytes(4)
        answer = query[:2] + b"\\x81\\x80" + counts + query[12:end]
        asked.sendto(answer + record * found, client)
"""
# An HTTP proxy on a socket that it inherits; it connects from where it runs.
PROXY = """
import http.client, socket, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
class Proxy(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        there = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        there.request("GET", url.path, headers={"Host": url.netloc})
        answer = there.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.end_headers()
        self.wfile.write(body)
    def do_CONNECT(self):
        host, _, port = self.path.rpartition(":")
        far = socket.create_connection((host, int(port)), timeout=10)
        self.send_response(200)
        self.end_headers()
        threading.Thread(target=copy, args=(far, self.connection), daemon=True).start()
        copy(self.connection, far)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("", 0), Proxy, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""
# Method, address, port, Host header, path, and the CA of a certificate for that host.
ASK = """
import http.client, socket, ssl, sys
method, address, port, host, path, trust = sys.argv[1:]
connection = http.client.HTTPConnection(address, int(port), timeout=10)
try:
    if trust:
        plain = socket.create_connection((address, int(port)), timeout=10)
        context = ssl.create_default_context(cafile=trust)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
except (ConnectionError, ssl.SSLError) as error:
    print(type(error).__name__)
"""


def missing() -> str:
    """What this machine lacks to make pods' networks; empty if nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "Networks of pods need Linux and root."
    lacking = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"Networks of pods need {', '.join(lacking)}." if lacking else ""


class Network:
    """The namespaces of a pod's network and processes.

    When the first process ends, the kernel ends the others: an agent that is killed leaves Envoy.
    """

    def __init__(self, stack: ExitStack) -> None:
        namespaces = ["unshare", "--net", "--pid", "--fork", "--kill-child"]
        process = stack.enter_context(subprocess.Popen([*namespaces, "sleep", "infinity"]))
        stack.callback(process.kill)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (child := children.read_text(encoding="ascii").strip()):
            time.sleep(0.01)
        self.pid = int(child)
        self.file = Path(f"/proc/{child}/ns/net")

    def inside(self, *command: object, user: int = 0) -> list[str]:
        """The command line that runs a command there."""
        who = [f"--setuid={user}", f"--setgid={user}"] if user else []
        there = [f"--net={self.file}", f"--pid={self.file.with_name('pid')}"]
        return ["nsenter", *there, *who, *map(str, command)]

    def run(self, *command: object, **options: Any) -> None:
        """Run it to its end, in the machine's PID namespace."""
        words = ["nsenter", f"--net={self.file}", *map(str, command)]
        subprocess.run(words, check=True, capture_output=True, **options)

    def get(self, address: str, port: int, host: str, path: str = "/", trust: object = "") -> str:
        """Status and body that somebody there gets, or the name of an error."""
        return self.ask("GET", address, port, host, path, trust)

    def ask(
        self, method: str, address: str, port: int, host: str, path: str, trust: object = ""
    ) -> str:
        """The same with any method."""
        command = self.inside(sys.executable, "-c", ASK, method, address, port, host, path, trust)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def forward(self, port: int) -> None:
        """Connections to that port of its 127.0.0.1 go to this machine's."""
        ready = threading.Event()
        threading.Thread(target=self._forward, args=(port, ready), daemon=True).start()
        assert ready.wait(10), "no port is forwarded"

    def _forward(self, port: int, ready: threading.Event) -> None:
        with Path("/proc/thread-self/ns/net").open() as own, self.file.open() as there:
            assert _libc.setns(there.fileno(), _NEW_NETWORK) == 0
            listener = socket.create_server(("127.0.0.1", port))
            assert _libc.setns(own.fileno(), _NEW_NETWORK) == 0
        ready.set()
        while True:
            near, _ = listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:  # until the server is back
                near.close()
                continue
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=ends, daemon=True).start()


class Networks:
    """The pods that run, all on one bridge; `istiod` is its port on this machine."""

    def __init__(self, stack: ExitStack, folder: Path, cluster: Cluster, istiod: int) -> None:
        self._stack = stack
        self._folder = folder
        self._cluster = cluster
        self._istiod = istiod
        self._bridge = Network(stack)
        self._bridge.run("ip", "link", "add", "pods", "type", "bridge")
        self._bridge.run("ip", "link", "set", "pods", "up")
        self._count = 0
        programs = istio.programs()
        # The sidecar's user cannot read a home folder.
        self.agent, self.envoy, self._bootstrap = (
            Path(shutil.copy(file, folder))
            for file in (programs.agent, istio.envoy(), programs.bootstrap)
        )

    def add(self, address: str) -> Network:
        """Add a network with that address, in which nothing runs."""
        self._count += 1
        name, network = f"pod{self._count}", Network(self._stack)
        peer = ("type", "veth", "peer", "name", "eth0", "netns", str(network.pid))
        self._bridge.run("ip", "link", "add", name, *peer)
        self._bridge.run("ip", "link", "set", name, "master", "pods", "up")
        network.run("ip", "link", "set", "lo", "up")
        network.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        network.run("ip", "link", "set", "eth0", "up")
        network.run("ip", "route", "add", "default", "dev", "eth0")
        return network

    def start(self, command: Sequence[str], **options: Any) -> None:
        process = self._stack.enter_context(subprocess.Popen(command, **options))
        self._stack.callback(process.kill)

    def proxy(self, network: Network, port: int) -> None:
        """Start an HTTP proxy on that port of this machine, which connects from the network."""
        with socket.create_server(("127.0.0.1", port)) as listener:
            number = listener.fileno()
            command = network.inside(sys.executable, "-c", PROXY, number)
            self.start(command, pass_fds=[number], stderr=subprocess.DEVNULL)

    def start_pod(self, pod: Object, outside: str = "") -> Network:
        """Start what istiod injected into the pod, and a stand-in for its app.

        There, every host has the address `outside`.
        """
        network = self.add(pod["status"]["podIP"])
        if outside:
            server = _nameserver()
            network.run("ip", "address", "add", server, "dev", "lo")
            self.start(network.inside(sys.executable, "-c", NAMES, server, outside))
        network.forward(self._istiod)
        injected = {one["name"]: one for one in pod["spec"]["initContainers"]}
        # What istio-cni does in place of this container, which then only validates.
        checks = ("--run-validation", "--skip-rule-apply")
        rules = [word for word in injected["istio-validation"]["args"] if word not in checks]
        network.run(self.agent, *rules, env={"PATH": PATH})
        folder = self._files(pod)
        proxy = injected["istio-proxy"]
        namespace = pod["metadata"]["namespace"]
        words = [word.replace("$(POD_NAMESPACE)", namespace) for word in proxy["args"]]
        with (folder / "log").open("wb") as log:
            self.start(
                network.inside(self.agent, *words, user=SIDECARS_USER),
                cwd=folder,
                env=self._environment(pod, proxy),
                stdout=log,
                stderr=log,
            )
        for port in pod["spec"]["containers"][0].get("ports", ()):
            self.start(network.inside(sys.executable, "-c", APP, port["containerPort"]))
        return network

    def folder(self, pod: Object) -> Path:
        """The working directory of its agent, which writes its certificate there."""
        folder: Path = self._folder / pod["metadata"]["name"]
        return folder

    def _files(self, pod: Object) -> Path:
        """Write the files that the agent finds in its container."""
        metadata = pod["metadata"]
        account = metadata["namespace"], pod["spec"]["serviceAccountName"]
        root = self._cluster.get("v1", "ConfigMap", metadata["namespace"], "istio-ca-root-cert")
        assert root
        folder = self.folder(pod)
        (folder / CERTIFICATES).mkdir(parents=True)
        for file, content in {
            "var/run/secrets/tokens/istio-token": self._cluster.token(*account, 3600, "istio-ca"),
            "var/run/secrets/istio/root-cert.pem": root["data"]["root-cert.pem"],
            "etc/istio/pod/labels": _lines(metadata["labels"]),
            "etc/istio/pod/annotations": _lines(metadata["annotations"]),
        }.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, SIDECARS_USER, SIDECARS_USER)
        return folder

    def _environment(self, pod: Object, proxy: Object) -> dict[str, str]:
        metadata = pod["metadata"]
        fields = {
            "metadata.name": metadata["name"],
            "metadata.namespace": metadata["namespace"],
            "spec.serviceAccountName": pod["spec"]["serviceAccountName"],
            "spec.nodeName": pod["spec"]["nodeName"],
            "status.podIP": pod["status"]["podIP"],
        }
        told: dict[str, str] = {"PATH": PATH, "OUTPUT_CERTS": CERTIFICATES}
        for variable in proxy["env"]:
            source = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            if value := variable.get("value") or fields.get(source):
                told[variable["name"]] = value
        istiod = f"127.0.0.1:{self._istiod}"
        own = {
            "discoveryAddress": istiod,
            "binaryPath": str(self.envoy),
            "proxyBootstrapTemplatePath": str(self._bootstrap),
        }
        configured = json.loads(told.get("PROXY_CONFIG", "{}"))
        return told | {"CA_ADDR": istiod, "PROXY_CONFIG": json.dumps(configured | own)}


def _nameserver() -> str:
    """The address of the one that this machine asks, and thus Envoy."""
    lines = Path("/etc/resolv.conf").read_text(encoding="utf-8").splitlines()
    return next(line.split()[1] for line in lines if line.startswith("nameserver "))


def _lines(values: Mapping[str, str]) -> str:
    """As the downward API writes labels and annotations."""
    return "".join(f"{key}={json.dumps(value)}\n" for key, value in values.items())


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
