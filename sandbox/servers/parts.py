"""The servers: their names, ports, files and command lines."""

import json
import random
import socket
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from binaries.pinned import ServerBinaries
from sandbox.servers import keys
from sandbox.servers.record import write_private

ETCD = "etcd"
OPENBAO = "openbao"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"
STORAGE = "storage"
VOLUMES = "volumes"  # the folder of what pods store
EXTERNAL_SECRETS = "external-secrets"
PROMETHEUS_OPERATOR = "prometheus-operator"
PROMETHEUS = "prometheus"
ISTIO = "istio"  # istiod, and the gateway
ISTIOD = "istiod"
GATEWAY = "istio-gateway"
KYVERNO = "kyverno"
REGISTRY = "registry"
NODE = "node"
KEYCLOAK = "keycloak"
PACKETS = "packets"  # no server of its own: the node enforces network policies

STORES = (ETCD, OPENBAO, API_SERVER)
CONTROLLERS = (CONTROLLER_MANAGER, SCHEDULER, KWOK, STORAGE)
CONTAINERS = (REGISTRY, NODE)  # for the parts `node` and `packets`

ETCD_PEER = "etcd-peer"
OPENBAO_PEER = "openbao-peer"
ISTIOD_WEBHOOKS = "istiod-webhooks"
ISTIOD_CONFIGURATION = "istiod-configuration"
ISTIOD_PLAIN = "istiod-plain"
ISTIOD_METRICS = "istiod-metrics"
GATEWAY_ADMIN = "istio-gateway-admin"
GATEWAY_STATUS = "istio-gateway-status"
KYVERNO_METRICS = "kyverno-metrics"
PODS = "pods"  # an HTTP proxy through which Prometheus reaches them; tests run one
# Whatever has a port.
LISTENERS = (
    ETCD,
    ETCD_PEER,
    OPENBAO,
    OPENBAO_PEER,
    API_SERVER,
    CONTROLLER_MANAGER,
    SCHEDULER,
    EXTERNAL_SECRETS,
    PROMETHEUS_OPERATOR,
    PROMETHEUS,
    PODS,
    ISTIOD,
    ISTIOD_WEBHOOKS,
    ISTIOD_CONFIGURATION,
    ISTIOD_PLAIN,
    ISTIOD_METRICS,
    GATEWAY,
    GATEWAY_ADMIN,
    GATEWAY_STATUS,
    KYVERNO,
    KYVERNO_METRICS,
    KEYCLOAK,
    REGISTRY,
    NODE,
)

# Below the ports that systems assign to clients, and those of NodePort Services: a stopped server
# finds its port free again.
PORTS = range(20000, 30000)

BAO = Path(sysconfig.get_path("scripts"), "bao")  # at its place in the package

# Not the user's. Debian has some programs in folders that are only on root's PATH.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Command = Sequence[str | Path]


class UnsettledError(Exception):
    """The cluster's controllers have not finished their work yet; the message names it."""


class Parts:
    """A checkout's own values for its servers, kept in `folder` from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = keys.Keys(folder)
        self.kubeconfig = folder / "kubeconfig"
        self.ports: dict[str, int] = {}

    def address(self, listener: str) -> str:
        return f"https://127.0.0.1:{self.ports[listener]}"

    def prepare(self, keep_ports: bool) -> None:
        """Write everything that they read. A port in use is changed, unless others rely on it."""
        file = self.folder / "ports.json"
        known: dict[str, int] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        kept = {name: port for name, port in known.items() if keep_ports or _free(port)}
        others = (
            port
            for port in random.sample(PORTS, len(PORTS))
            if port not in known.values() and _free(port)
        )
        self.ports = {name: kept.get(name) or next(others) for name in LISTENERS}
        write_private(file, json.dumps(self.ports))
        self.keys.make()
        for path, user in (
            (self.kubeconfig, keys.ADMIN),
            (self.kubeconfig_of(CONTROLLER_MANAGER), keys.CONTROLLER_MANAGER),
            (self.kubeconfig_of(SCHEDULER), keys.SCHEDULER),
            (self.kubeconfig_of(KWOK), keys.KWOK),
            (self.kubeconfig_of(STORAGE), keys.STORAGE),
            (self.kubeconfig_of(NODE), keys.NODE),
        ):
            self.keys.write_kubeconfig(path, user, self.address(API_SERVER))
        data = self.folder / OPENBAO
        data.mkdir(mode=0o700, exist_ok=True)
        listener = {
            "address": f"127.0.0.1:{self.ports[OPENBAO]}",
            "cluster_address": f"127.0.0.1:{self.ports[OPENBAO_PEER]}",
            "tls_cert_file": str(self.keys.server_cert),
            "tls_key_file": str(self.keys.server_key),
        }
        configuration = {
            "storage": {"raft": {"path": str(data), "node_id": "sandbox"}},
            "listener": {"tcp": listener},
            "api_addr": self.address(OPENBAO),
            "cluster_addr": self.address(OPENBAO_PEER),
        }
        write_private(self._openbao_configuration, json.dumps(configuration))

    def write_authentication(self, *issuers: object) -> None:
        """Name those whose tokens the API server takes, besides its own; it notices a change."""
        configuration = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": issuers,
        }
        write_private(self._authentication, json.dumps(configuration, indent=2))

    def commands(self, binaries: ServerBinaries) -> dict[str, Command]:
        """The command line of each."""
        cert, key, ca_cert = self.keys.server_cert, self.keys.server_key, self.keys.ca_cert
        peer = self.address(ETCD_PEER)
        return {
            ETCD: [
                binaries.etcd,
                "--name=sandbox",
                f"--data-dir={self.folder / ETCD}",
                f"--listen-client-urls={self.address(ETCD)}",
                f"--advertise-client-urls={self.address(ETCD)}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=sandbox={peer}",
                # It holds every Secret in plain text: only clients with this certificate may
                # connect.
                "--client-cert-auth",
                f"--cert-file={cert}",
                f"--key-file={key}",
                f"--trusted-ca-file={ca_cert}",
                "--peer-client-cert-auth",
                f"--peer-cert-file={cert}",
                f"--peer-key-file={key}",
                f"--peer-trusted-ca-file={ca_cert}",
                "--unsafe-no-fsync",  # a power cut may cost a sandbox its data, a crash does not
            ],
            OPENBAO: [BAO, "server", f"-config={self._openbao_configuration}"],
            API_SERVER: [
                binaries.kube_apiserver,
                f"--etcd-servers={self.address(ETCD)}",
                f"--etcd-cafile={ca_cert}",
                f"--etcd-certfile={cert}",
                f"--etcd-keyfile={key}",
                *self._listens(API_SERVER),
                f"--token-auth-file={self.keys.tokens}",
                f"--authentication-config={self._authentication}",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged",  # as in most clusters: policies decide what may be privileged
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.96.0.0/16",
                f"--kubelet-client-certificate={cert}",
                f"--kubelet-client-key={key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self.keys.service_account_public_key}",
                f"--service-account-signing-key-file={self.keys.service_account_key}",
            ],
            CONTROLLER_MANAGER: [
                binaries.kube_controller_manager,
                f"--kubeconfig={self.kubeconfig_of(CONTROLLER_MANAGER)}",
                *self._listens(CONTROLLER_MANAGER),
                "--leader-elect=false",
                "--use-service-account-credentials",
                f"--service-account-private-key-file={self.keys.service_account_key}",
                f"--root-ca-file={ca_cert}",
            ],
            SCHEDULER: [
                binaries.kube_scheduler,
                f"--kubeconfig={self.kubeconfig_of(SCHEDULER)}",
                *self._listens(SCHEDULER),
                "--leader-elect=false",
            ],
            KWOK: [
                binaries.kwok,
                f"--kubeconfig={self.kubeconfig_of(KWOK)}",
                f"--config={Path(__file__).with_name('stages.yaml')}",
                f"--manage-nodes-with-label-selector=kubernetes.io/hostname={keys.SIMULATED_NODE}",
                "--node-lease-duration-seconds=40",
            ],
            STORAGE: [
                sys.executable,
                "-m",
                "sandbox.servers.storage_process",
                self.kubeconfig_of(STORAGE),
                self.folder / VOLUMES,
            ],
        }

    def _listens(self, listener: str) -> Command:
        return (
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports[listener]}",
            f"--tls-cert-file={self.keys.server_cert}",
            f"--tls-private-key-file={self.keys.server_key}",
        )

    def kubeconfig_of(self, part: str) -> Path:
        """The one of a server that is a client of the API server."""
        return self.folder / "keys" / f"{part}.kubeconfig"

    @property
    def _authentication(self) -> Path:
        return self.folder / "keys" / "authentication.json"

    @property
    def _openbao_configuration(self) -> Path:
        return self.folder / "keys" / "openbao.json"


def _free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as real servers do
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
