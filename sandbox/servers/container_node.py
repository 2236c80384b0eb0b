"""The part `node`: a kubelet with containerd, and the registry that it pulls images from."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from binaries.console import UserError
from binaries.pinned import image_registry, kubelet, network_policies
from sandbox.servers import node_process, stand_ins
from sandbox.servers.images import BUSYBOX
from sandbox.servers.keys import REAL_NODE
from sandbox.servers.node_process import NodeSettings
from sandbox.servers.parts import API_SERVER, NODE, PATH, REGISTRY, Command, Parts
from sandbox.servers.record import write_private
from sandbox.servers.registry_server import RegistryServer

ADDRESS = "10.244.0.1"
PODS = "10.244.1.0/24"
CNI_PLUGINS = Path("/usr/lib/cni")
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "iptables")
INSTALL = "scripts/install-node-packages"
PAUSE = "sandbox.invalid/pause:1"


class ContainerNode:
    """The node of a checkout."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._folder = parts.folder / NODE
        self.registry = RegistryServer(parts)
        # Two checkouts have two nodes on one machine.
        self._cgroup = f"sre-{hashlib.sha256(str(parts.folder).encode()).hexdigest()[:12]}"
        self._kubelet: Path | None = None
        self._network_policies: Path | None = None

    def get(self, filters: bool) -> None:
        """Provide the programs; raise UserError if this machine cannot run the node.

        `filters` says whether the node enforces network policies.
        """
        require()
        image_registry()  # built before anything starts
        self._kubelet = kubelet()
        self._network_policies = network_policies() if filters else None

    def commands(self) -> dict[str, Command]:
        """The command line of each process. Writes all files that they read."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for folder, content in (
            ("cni/10-ptp.conflist", _NETWORK),
            ("kubelet.json", self._kubelet_configuration()),
        ):
            file = self._folder / folder
            file.parent.mkdir(exist_ok=True)
            write_private(file, json.dumps(content, indent=2))
        hosts = self._folder / "registries" / "_default"  # for every host that an image names
        hosts.mkdir(parents=True, exist_ok=True)
        write_private(hosts / "hosts.toml", self._mirror())
        write_private(self._folder / "containerd.toml", self._containerd_configuration())
        pause = self._folder / "pause.tar"
        stand_ins.pause().save(pause, PAUSE)
        settings, program = self._settings, self._network_policies
        NodeSettings(
            name=REAL_NODE,
            address=ADDRESS,
            cgroup=self._cgroup,
            forwarded=(self._parts.ports[API_SERVER], self._parts.ports[REGISTRY]),
            archive=str(pause),
            commands=(
                ("containerd", f"--config={self._folder / 'containerd.toml'}"),
                (
                    str(self._kubelet),
                    f"--config={self._folder / 'kubelet.json'}",
                    f"--kubeconfig={self._parts.kubeconfig_of(NODE)}",
                    f"--hostname-override={REAL_NODE}",
                    f"--node-ip={ADDRESS}",
                    "--node-labels=topology.kubernetes.io/zone=sandbox",
                ),
                *([self._filter(program)] if program else []),
            ),
            account=str(self._folder / "account") if program else None,
        ).write(settings)
        return {
            REGISTRY: self.registry.command(),
            NODE: [sys.executable, node_process.__file__, settings],
        }

    @property
    def filters(self) -> bool:
        """Whether its last start was with network policies enforced."""
        file = self._settings
        return file.exists() and NodeSettings.read(file).account is not None

    def log_in(self, token: str) -> None:
        """Write the token of kube-network-policies."""
        account = self._folder / "account"
        account.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(account / "token", token)
        shutil.copyfile(self._parts.keys.ca_cert, account / "ca.crt")

    def _filter(self, program: Path) -> list[str]:
        return [
            str(program),
            f"--hostname-override={REAL_NODE}",
            "--metrics-bind-address=127.0.0.1:9080",
        ]

    @property
    def _settings(self) -> Path:
        return self._folder / "node.json"

    def clean(self) -> None:
        """Remove what a killed node leaves."""
        if sys.platform == "linux" and self._folder.exists():
            node_process.remove_cgroups(self._cgroup)

    def _kubelet_configuration(self) -> object:
        keys = self._parts.keys
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},  # moot: nobody can log in
            "tlsCertFile": str(keys.server_cert),
            "tlsPrivateKeyFile": str(keys.server_key),
            "containerRuntimeEndpoint": f"unix://{node_process.SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "healthzPort": 0,
            "oomScoreAdj": 0,  # a lower one needs a right that root may lack in a container
            "enforceNodeAllocatable": ["none"],  # pods may use the whole machine
            "evictionHard": {"memory.available": "100Mi"},
            "localStorageCapacityIsolation": False,  # storage is in memory: do not measure it
            "serializeImagePulls": False,
            "crashLoopBackOff": {"maxContainerRestartPeriod": "5s"},  # nobody waits for minutes
        }

    def _mirror(self) -> str:
        address = json.dumps(self._parts.address(REGISTRY))
        ca_cert = f"ca = {json.dumps(str(self._parts.keys.ca_cert))}\n"
        # Without the table, containerd 1.6 does not read the file; after it, it asks the server.
        return (
            f"server = {address}\n"
            f"{ca_cert}"
            f"[host.{address}]\n"
            'capabilities = ["pull", "resolve"]\n'
            f"{ca_cert}"
        )

    def _containerd_configuration(self) -> str:
        quoted = json.dumps  # JSON's strings are TOML's
        return f"""\
version = 2
root = "/run/node/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = {quoted(node_process.SOCKET)}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = {quoted(PAUSE)}
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {quoted(str(CNI_PLUGINS))}
conf_dir = {quoted(str(self._folder / "cni"))}

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = {quoted(str(self._folder / "registries"))}
"""


def require() -> None:
    """Raise UserError if this machine lacks something that cannot be built."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise UserError("A node that runs containers needs Linux and root.")
    if missing := list(_missing()):
        raise UserError(
            f"A node that runs containers needs {', '.join(missing)}; "
            f"{INSTALL} installs what it needs on Debian and Ubuntu."
        )


_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "sandbox",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/node/addresses",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}


def _missing() -> Iterator[str]:
    for program in PROGRAMS:
        if shutil.which(program, path=PATH) is None:
            yield program
    if not (CNI_PLUGINS / "ptp").exists():
        yield f"{CNI_PLUGINS}/ptp"
    if not BUSYBOX.exists():
        yield str(BUSYBOX)
