"""The process behind the node that runs containers: containerd and the kubelet, in namespaces.

`python -m sandbox.servers.node_process FILE` runs until it gets SIGTERM or one of the two ends. It
is a pair: the process that was started, and the first of a new PID namespace, which has containerd
and the kubelet as children. However one of the pair ends, the kernel ends the other and all
containers, and removes their mounts and networks. Only cgroups stay: `remove_cgroups`.

The node has its own network. Connections to and from the machine pass at the ports that the
settings name, and at no other.
What it writes to `/var` and `/run` stays in memory, so it cannot conflict with a kubelet or
containerd of the machine.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

SOCKET = "/run/containerd/containerd.sock"
CGROUPS = Path("/sys/fs/cgroup")
STARTS_WITHIN = 60  # seconds
ENDS_WITHIN = 5
QUEUE = 100  # kube-network-policies' own
BLOCK = 65536  # bytes
KUBELET = 10250  # its usual port

# linux/sched.h, linux/prctl.h
_NEW_MOUNTS, _NEW_HOST_NAME, _NEW_IPC = 0x20000, 0x4000000, 0x8000000
_NEW_PIDS, _NEW_NETWORK = 0x20000000, 0x40000000
_DIE_WITH_PARENT = 1

# The kubelet would set these for the whole machine. It already sees these values, and sets nothing.
_WANTED_BY_KUBELET = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

_libc = ctypes.CDLL(None, use_errno=True)


class PodSettings(NamedTuple):
    """An address and port in the pods' network, and the port of the machine that serves there."""

    name: str
    address: str
    port: int
    served_at: int


@dataclass(frozen=True)
class NodeSettings:
    """What the process reads from its file.

    `forwarded` are ports of the machine's 127.0.0.1 that exist in the node's network too.
    `published` are ports of the node that exist on the machine's 127.0.0.1, where `proxy` is the
    port of an HTTP proxy to the kubelet. `pods` are servers of the machine that look like pods of
    the node. `archives` are files with images, one of them the image that keeps a pod's namespaces.
    `commands` start in this order; the first is containerd. If the last is kube-network-policies,
    `account` is the folder with its token.
    """

    name: str
    address: str
    cgroup: str
    forwarded: Sequence[int]
    archives: Sequence[str]
    commands: Sequence[Sequence[str]]
    proxy: int
    account: str | None = None
    published: Sequence[int] = ()
    pods: Sequence[PodSettings] = ()

    def write(self, file: Path) -> None:
        """For `read`."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "NodeSettings":
        """What `write` wrote."""
        values = json.loads(file.read_text(encoding="utf-8"))
        pods = [PodSettings(*each) for each in values.pop("pods")]
        return cls(**values, pods=pods)


def make_cgroups(name: str) -> None:
    """The group of all containers of a node, in each of the machine's hierarchies."""
    for root in _hierarchies():
        with suppress(OSError):  # a hierarchy that allows no groups
            (root / name).mkdir(exist_ok=True)


def remove_cgroups(name: str) -> None:
    """Remove that group, once no process is left in it."""
    for root in _hierarchies():
        for folder, _, _ in os.walk(root / name, topdown=False):
            _remove_cgroup(Path(folder))


def _remove_cgroup(folder: Path) -> None:
    deadline = time.monotonic() + ENDS_WITHIN
    while folder.exists():
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process that was killed is not gone yet
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)


def _hierarchies() -> list[Path]:
    """One in version 2 of cgroups, several in version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def run(settings: NodeSettings) -> int:
    """The process that was started."""
    ours, nodes = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    make_cgroups(settings.cgroup)
    _check(_libc.unshare(_NEW_PIDS), "create a PID namespace")  # of children
    child = os.fork()
    if child == 0:
        ours.close()
        code = 1
        try:
            code = _run_node(settings, nodes)
        finally:
            os._exit(code)
    nodes.close()

    def end(*_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    # Otherwise this process could not start threads.
    _enter("/proc/self/ns/pid", _NEW_PIDS)
    threading.Thread(target=_connect, args=(settings, ours, child), daemon=True).start()
    _, status = os.waitpid(child, 0)
    remove_cgroups(settings.cgroup)
    return 0 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def _run_node(settings: NodeSettings, to_machine: socket.socket) -> int:
    """The first process of the PID namespace. If it ends, so do all others in it."""
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    namespaces = _NEW_MOUNTS | _NEW_HOST_NAME | _NEW_IPC | _NEW_NETWORK
    _check(_libc.unshare(namespaces), "create namespaces")
    socket.sethostname(settings.name)
    _own_files()
    _own_network(settings, to_machine)
    if settings.account:
        _filter_packets(settings.account, settings.forwarded[0])
    containerd, *others = settings.commands
    expected = {_start(containerd): containerd[0]}
    for archive in settings.archives:
        _load(archive)
    for command in others:
        expected[_start(command)] = command[0]
    while True:
        pid, status = os.wait()  # shims become children of this process too
        if pid in expected:
            code = os.waitstatus_to_exitcode(status)
            print(f"{expected[pid]} has ended with {code}.", flush=True)
            return 1


def _own_files() -> None:
    _mount("--make-rprivate", "/")
    _mount("-t", "proc", "proc", "/proc")
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in ("var", "work", "sysctl"):
        Path("/run/node", folder).mkdir(parents=True)
    options = "lowerdir=/var,upperdir=/run/node/var,workdir=/run/node/work"
    _mount("-t", "overlay", "-o", options, "overlay", "/var")
    for name, value in _WANTED_BY_KUBELET.items():
        file = Path("/proc/sys", name)
        if file.exists() and file.read_text(encoding="ascii").strip() != value:
            instead = Path("/run/node/sysctl", name.replace("/", "."))
            instead.write_text(f"{value}\n", encoding="ascii")
            _mount("--bind", str(instead), str(file))


def _own_network(settings: NodeSettings, to_machine: socket.socket) -> None:
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "node0", "type", "veth", "peer", "name", "node1")
    _ip("address", "add", f"{settings.address}/32", "dev", "node0")
    for end in ("node0", "node1"):
        _ip("link", "set", end, "up")
    listeners = [socket.create_server(("127.0.0.1", port)) for port in settings.forwarded]
    listeners += [_pods_listener(settings.address, pod) for pod in settings.pods]
    socket.send_fds(to_machine, [b"."], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()


def _pods_listener(node: str, pod: PodSettings) -> socket.socket:
    """Make a pod's network in which no container runs, and listen there."""
    there = ("-n", pod.name)
    _ip("netns", "add", pod.name)
    _ip("link", "add", pod.name, "type", "veth", "peer", "name", "eth0", "netns", pod.name)
    _ip("link", "set", pod.name, "up")
    _ip("route", "add", pod.address, "dev", pod.name)
    _ip(*there, "address", "add", f"{pod.address}/32", "dev", "eth0")
    _ip(*there, "link", "set", "eth0", "up")
    _ip(*there, "route", "add", node, "dev", "eth0")
    _ip(*there, "route", "add", "default", "via", node)
    with Path("/proc/self/ns/net").open() as own:
        _enter(f"/run/netns/{pod.name}", _NEW_NETWORK)
        listener = socket.create_server((pod.address, pod.port))
        _check(_libc.setns(own.fileno(), _NEW_NETWORK), "return to the node's network")
    return listener


def _filter_packets(account: str, api_server: int) -> None:
    """Have kube-network-policies decide on each connection; until it runs, none passes.

    It would set rules itself, but with nftables' queue, which not every kernel has.
    """
    as_in_pods = Path("/run/secrets/kubernetes.io/serviceaccount")  # the only place that it reads
    shutil.copytree(account, as_in_pods)
    os.environ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1"
    os.environ["KUBERNETES_SERVICE_PORT"] = str(api_server)
    for rule in (
        "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-m owner --uid-owner 0 -j ACCEPT",  # the kubelet's probes
        f"-j NFQUEUE --queue-num {QUEUE}",
    ):
        command = ["iptables", "--wait", "-t", "mangle", "-A", "POSTROUTING", *rule.split()]
        subprocess.run(command, check=True)


def _load(archive: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        command = ["ctr", "--address", SOCKET, "--namespace", "k8s.io", "images", "import", archive]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            sys.exit(f"containerd cannot import {archive}: {done.stderr.strip()}")
        time.sleep(0.1)


def _start(command: Sequence[str]) -> int:
    return subprocess.Popen(command).pid


def _connect(settings: NodeSettings, from_node: socket.socket, node: int) -> None:
    """Pass connections on: from the node's networks to the machine, and to published ports."""
    ports = [*settings.forwarded, *(pod.served_at for pod in settings.pods)]
    _, files, _, _ = socket.recv_fds(from_node, 1, len(ports))
    for file, port in zip(files, ports, strict=True):
        _accept(socket.socket(fileno=file), ("127.0.0.1", port))
    network = f"/proc/{node}/ns/net"
    for port in settings.published:
        listener = socket.create_server(("127.0.0.1", port))
        _accept(listener, (settings.address, port), network)
    proxy = socket.create_server(("127.0.0.1", settings.proxy))
    _accept(proxy, (settings.address, KUBELET), network, is_proxy=True)


def _accept(
    listener: socket.socket,
    place: tuple[str, int],
    network: str | None = None,
    is_proxy: bool = False,
) -> None:
    """Pass each connection on to that place, in another network if one is given."""
    arguments = (listener, place, network, is_proxy)
    threading.Thread(target=_accept_all, args=arguments, daemon=True).start()


def _accept_all(
    listener: socket.socket, place: tuple[str, int], network: str | None, is_proxy: bool
) -> None:
    if network:
        _enter(network, _NEW_NETWORK)  # this thread alone
    while True:
        near, _ = listener.accept()
        try:
            far = socket.create_connection(place)
            if is_proxy:
                _agree(near)
        except OSError:  # the server is restarting
            near.close()
            continue
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _agree(client: socket.socket) -> None:
    """Take an HTTP client's request for a connection, wherever it wants one to."""
    client.settimeout(ENDS_WITHIN)
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        if not (data := client.recv(BLOCK)):
            raise ConnectionError
        request += data
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    client.settimeout(None)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            target.sendall(data)
    for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with suppress(OSError):
            end.shutdown(how)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _enter(namespace: str, kind: int) -> None:
    """Join a namespace, named by its file."""
    with Path(namespace).open() as file:
        _check(_libc.setns(file.fileno(), kind), f"join {namespace}")


def _check(answer: int, what: str) -> None:
    if answer != 0:
        sys.exit(f"Cannot {what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    sys.exit(run(NodeSettings.read(Path(sys.argv[1]))))
