"""The part `node`: a kubelet with containerd, and the registry that it pulls images from."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from binaries import istio
from binaries.console import UserError
from binaries.pinned import image_registry, kubelet, network_policies
from clients.kubernetes import Object
from sandbox.servers import mesh, node_process, proxy_image, stand_ins
from sandbox.servers.images import BUSYBOX
from sandbox.servers.keys import REAL_NODE
from sandbox.servers.node_process import NodeSettings, PodSettings
from sandbox.servers.parts import (
    API_SERVER,
    GATEWAY,
    ISTIOD,
    ISTIOD_CONFIGURATION,
    NODE,
    PATH,
    REGISTRY,
    Command,
    Parts,
)
from sandbox.servers.record import write_private
from sandbox.servers.registry_server import RegistryServer

ADDRESS = "10.244.0.1"
PODS = "10.244.1.0/24"
CNI_PLUGINS = Path("/usr/lib/cni")
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "iptables")
INSTALL = "scripts/install-node-packages"
PAUSE = "sandbox.invalid/pause:1"
ISTIO_CNI = "istio-cni"  # the plugin, and its ServiceAccount


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
        self._istio_cni: Path | None = None

    def get(self, filters: bool, in_mesh: bool) -> None:
        """Provide the programs; raise UserError if this machine cannot run the node.

        `filters` says whether the node enforces network policies, `in_mesh` whether its pods can
        have sidecars.
        """
        require()
        image_registry()  # built before anything starts
        self._kubelet = kubelet()
        self._network_policies = network_policies() if filters else None
        self._istio_cni = istio.network_plugin() if in_mesh else None

    def commands(self) -> dict[str, Command]:
        """The command line of each process. Writes all files that they read."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path, content in (
            ("cni/10-ptp.conflist", self._network()),
            ("kubelet.json", self._kubelet_configuration()),
        ):
            file = self._folder / path
            file.parent.mkdir(exist_ok=True)
            write_private(file, json.dumps(content, indent=2))
        self._link_plugins()
        hosts = self._folder / "registries" / "_default"  # for every host that an image names
        hosts.mkdir(parents=True, exist_ok=True)
        write_private(hosts / "hosts.toml", self._mirror())
        write_private(self._folder / "containerd.toml", self._containerd_configuration())
        pause = self._folder / "pause.tar"
        stand_ins.pause().save(pause, PAUSE)
        settings, program, ports = self._settings, self._network_policies, self._parts.ports
        NodeSettings(
            name=REAL_NODE,
            address=ADDRESS,
            cgroup=self._cgroup,
            forwarded=(ports[API_SERVER], ports[REGISTRY]),
            archives=(str(pause), *([str(self._proxy())] if self._istio_cni else [])),
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
            proxy=ports[NODE],
            account=str(self._folder / "account") if program else None,
            published=(ports[GATEWAY],) if self._istio_cni else (),
            pods=(PodSettings(ISTIOD, *mesh.ISTIODS_PLACE, ports[ISTIOD_CONFIGURATION]),)
            if self._istio_cni
            else (),
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

    @property
    def in_mesh(self) -> bool:
        """Whether since its last start its pods can have sidecars."""
        file = self._settings
        return file.exists() and bool(NodeSettings.read(file).pods)

    def log_in_to_mesh(self, token: str) -> None:
        """Write the token of istio-cni."""
        file = self._folder / ISTIO_CNI / f"{ISTIO_CNI}-kubeconfig"  # its own name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys, address = self._parts.keys, self._parts.address(API_SERVER)
        keys.write_kubeconfig_with(file, ISTIO_CNI, token, address)

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
        return self._folder / "settings.json"

    def clean(self) -> None:
        """Remove what a killed node leaves."""
        if sys.platform == "linux" and self._folder.exists():
            node_process.remove_cgroups(self._cgroup)

    def _network(self) -> object:
        """What the CNI plugins read."""
        added: list[Object] = []
        if self._istio_cni:
            added = [
                {"type": "portmap", "capabilities": {"portMappings": True}},
                {"type": ISTIO_CNI, "cni_agent_run_dir": str(self._folder / ISTIO_CNI)},
            ]
        return {**_NETWORK, "plugins": [*_NETWORK["plugins"], *added]}

    @property
    def _plugins(self) -> Path:
        return self._folder / "plugins"

    def _link_plugins(self) -> None:
        """Bring the plugins together: containerd looks for them in one folder."""
        shutil.rmtree(self._plugins, ignore_errors=True)
        self._plugins.mkdir()
        programs = [*CNI_PLUGINS.iterdir(), *([self._istio_cni] if self._istio_cni else [])]
        for program in programs:
            (self._plugins / program.name).symlink_to(program)

    def _proxy(self) -> Path:
        """The archive with the image of sidecars and gateways, made once."""
        file = self._folder / f"proxy-{proxy_image.VERSION}.tar"
        if not file.exists():
            new = file.with_suffix(".new")
            proxy_image.proxy().save(new, mesh.PROXY_IMAGE)
            new.rename(file)
        return file

    def _kubelet_configuration(self) -> object:
        keys = self._parts.keys
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(keys.ca_cert)},
            },
            "authorization": {"mode": "AlwaysAllow"},  # only the API server can log in
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
bin_dir = {quoted(str(self._plugins))}
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


_NETWORK: Object = {
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
