"""The process behind the node that runs containers: containerd and the kubelet, in namespaces.

`python -m sandbox.servers.node_process FILE` runs until it gets SIGTERM or one of the two ends. It
is a pair: the process that was started, and the first of a new PID namespace, which has containerd
and the kubelet as children. However one of the pair ends, the kernel ends the other and all
containers, and removes their mounts and networks. Only cgroups stay: `remove_cgroups`.

The node has its own network, which reaches the machine only at the ports that `forwarded` names.
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

SOCKET = "/run/containerd/containerd.sock"
CGROUPS = Path("/sys/fs/cgroup")
STARTS_WITHIN = 60  # seconds
ENDS_WITHIN = 5
QUEUE = 100  # kube-network-policies' own
BLOCK = 65536  # bytes

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


@dataclass(frozen=True)
class NodeSettings:
    """What the process reads from its file.

    `forwarded` are ports of the machine's 127.0.0.1 that exist in the node's network too. `archive`
    is a file with the image that keeps a pod's namespaces. `commands` start in this order; the
    first is containerd. If the last is kube-network-policies, `account` is the folder with its
    token.
    """

    name: str
    address: str
    cgroup: str
    forwarded: Sequence[int]
    archive: str
    commands: Sequence[Sequence[str]]
    account: str | None = None

    def write(self, file: Path) -> None:
        """For `read`."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "NodeSettings":
        """What `write` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))


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
    with Path("/proc/self/ns/pid").open() as own:  # otherwise this process could not start threads
        _check(_libc.setns(own.fileno(), _NEW_PIDS), "return to the PID namespace")
    threading.Thread(target=_forward, args=(ours, settings.forwarded), daemon=True).start()
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
    _load(settings.archive)
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
    socket.send_fds(to_machine, [b"."], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()


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


def _forward(from_node: socket.socket, ports: Sequence[int]) -> None:
    """Pass connections to the node's ports on to the same ports of the machine."""
    _, files, _, _ = socket.recv_fds(from_node, 1, len(ports))
    for file, port in zip(files, ports, strict=False):
        listener = socket.socket(fileno=file)
        threading.Thread(target=_accept, args=(listener, port), daemon=True).start()


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        near, _ = listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", port))
        except OSError:  # the server is restarting
            near.close()
            continue
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


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


def _check(answer: int, what: str) -> None:
    if answer != 0:
        sys.exit(f"Cannot {what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    sys.exit(run(NodeSettings.read(Path(sys.argv[1]))))
