"""What a platform team installs on its cluster, as real parts of the sandbox: one class each."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import yaml

from binaries import external_secrets, istio, kyverno, pinned, prometheus_operator
from binaries.console import UserError
from binaries.operators import Operator
from clients.http import Http
from clients.kubernetes import Cluster, Object
from sandbox.servers import mesh, policies
from sandbox.servers.parts import (
    EXTERNAL_SECRETS,
    GATEWAY,
    GATEWAY_ADMIN,
    ISTIO,
    ISTIOD,
    KEYCLOAK,
    KYVERNO,
    NODE,
    PACKETS,
    PODS,
    PROMETHEUS,
    PROMETHEUS_OPERATOR,
    Command,
    Parts,
)
from sandbox.servers.prometheus_process import PrometheusSettings

TOKEN_SECONDS = 365 * 24 * 3600  # a year: the token of a running server is not renewed


class PlatformPart(ABC):
    """A part of the platform: its program, its objects on the cluster, and its own identity.

    It logs in as the ServiceAccount `account` (namespace, name), with only the rights that its
    chart gives. It starts if `PARTS` names its `choice`.
    """

    name: ClassVar[str]
    choice: ClassVar[str]
    account: ClassVar[tuple[str, str]]
    health: ClassVar[str]  # the path that it answers once it is ready, at the port of its name
    environment: ClassVar[Mapping[str, str]] = MappingProxyType({})
    # Names by kind. While the part does not run, they would refuse whatever they check, so they are
    # removed; the part creates them when it starts.
    webhooks: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType({})

    @abstractmethod
    def __init__(self) -> None:
        """Provide the program; raise UserError if that is not possible."""

    @property
    def definitions(self) -> Sequence[Object]:
        """Its CustomResourceDefinitions, as it publishes them."""
        return ()

    @abstractmethod
    def command(self, parts: Parts) -> Command:
        """Its command line. KUBECONFIG is set, for its ServiceAccount."""

    def check(self, parts: Parts) -> None:
        """Raise UnreachableError or RefusedError until it answers."""
        _ask(parts, self.name, self.health)

    def objects(self) -> list[Object]:
        """What its chart installs besides the definitions, as far as the sandbox needs it."""
        text = Path(__file__).with_name(f"{self.name}.yaml").read_text(encoding="utf-8")
        return list(yaml.safe_load_all(text))

    def kubeconfig(self, parts: Parts) -> Path:
        return parts.folder / "keys" / f"{self.name}.kubeconfig"

    def log_in(self, parts: Parts, cluster: Cluster) -> None:
        """Write the kubeconfig, with a new token: the account may have been recreated.

        Raises UnsettledError while the part cannot start yet.
        """
        token = cluster.token(*self.account, seconds=TOKEN_SECONDS)
        parts.keys.write_kubeconfig_with(self.kubeconfig(parts), self.name, token, cluster.address)


class OperatorPart(PlatformPart):
    """A part that is built together with its definitions."""

    _operator: Operator

    @cached_property
    def definitions(self) -> Sequence[Object]:
        files = sorted(self._operator.definitions.glob("*.yaml"))
        return [yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader) for file in files]


class ExternalSecrets(OperatorPart):
    """The operator that fetches a team's secrets from OpenBao."""

    name = EXTERNAL_SECRETS
    choice = EXTERNAL_SECRETS
    account = ("external-secrets", "external-secrets")
    health = "metrics"

    def __init__(self) -> None:
        self._operator = external_secrets.operator()

    def command(self, parts: Parts) -> Command:
        return [
            _own_name(parts, self.name, self._operator.program),
            f"--metrics-addr=127.0.0.1:{parts.ports[EXTERNAL_SECRETS]}",
            # Kinds that no stack creates; each would cost a watch.
            "--enable-cluster-external-secret-reconciler=false",
            "--enable-push-secret-reconciler=false",
            "--enable-cluster-push-secret-reconciler=false",
        ]


class PrometheusOperator(OperatorPart):
    """The operator that configures Prometheus from ServiceMonitors and PrometheusRules."""

    name = PROMETHEUS_OPERATOR
    choice = PROMETHEUS
    account = ("monitoring", "prometheus-operator")
    health = "healthz"

    def __init__(self) -> None:
        self._operator = prometheus_operator.operator()

    def command(self, parts: Parts) -> Command:
        return [
            _own_name(parts, self.name, self._operator.program),
            f"--web.listen-address=127.0.0.1:{parts.ports[PROMETHEUS_OPERATOR]}",
        ]


class Prometheus(PlatformPart):
    """The Prometheus that the operator configures."""

    name = PROMETHEUS
    choice = PROMETHEUS
    account = ("monitoring", "prometheus")
    health = "-/ready"

    def __init__(self) -> None:
        self._program = pinned.cached(pinned.PROMETHEUS, None) / "bin" / "prometheus"

    def command(self, parts: Parts) -> Command:
        folder = parts.folder / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        settings = PrometheusSettings(
            program=str(self._program),
            kubeconfig=str(parts.kubeconfig),
            account=str(self.kubeconfig(parts)),
            listens=f"127.0.0.1:{parts.ports[PROMETHEUS]}",
            pods=f"http://127.0.0.1:{parts.ports[PODS]}",
            folder=str(folder),
        )
        file = folder / "settings.json"
        settings.write(file)
        return [sys.executable, "-m", "sandbox.servers.prometheus_process", file]


class Istiod(PlatformPart):
    """Istio's control plane: it injects sidecars, and configures them and gateways."""

    name = ISTIOD
    choice = ISTIO
    account = (mesh.NAMESPACE, "istiod")
    health = "ready"
    environment = mesh.ISTIODS_ENVIRONMENT
    webhooks = mesh.WEBHOOKS

    def __init__(self) -> None:
        self._programs = istio.programs()
        self._made = mesh.installed(self._programs.istioctl)

    @property
    def definitions(self) -> Sequence[Object]:
        return mesh.definitions(self._made)

    def objects(self) -> list[Object]:
        return list(mesh.objects(self._made))

    def log_in(self, parts: Parts, cluster: Cluster) -> None:
        super().log_in(parts, cluster)
        for each in mesh.webhooks(self._made, parts):
            cluster.apply(each, mesh.MANAGER)

    def command(self, parts: Parts) -> Command:
        return mesh.istiod_command(_own_name(parts, self.name, self._programs.istiod), parts)

    def check(self, parts: Parts) -> None:
        super().check(parts)
        mesh.check_trust(Cluster(kubeconfig=parts.kubeconfig, retries=0))


class Gateway(PlatformPart):
    """The way in from outside: an Envoy that istiod configures.

    Beside a node that runs containers it is a pod there, and no process.
    """

    name = GATEWAY
    choice = ISTIO
    account = (mesh.NAMESPACE, mesh.GATEWAY_ACCOUNT)

    def __init__(self) -> None:
        programs, self._envoy = istio.programs(), istio.envoy()
        self._agent = programs.agent
        self._made = mesh.installed(programs.istioctl)

    def objects(self) -> list[Object]:
        return []

    def log_in(self, parts: Parts, cluster: Cluster) -> None:
        self._make(parts, cluster, on_node=False)
        token = cluster.token(*self.account, seconds=TOKEN_SECONDS, audience="istio-ca")
        mesh.write_gateway(parts, cluster, token)

    def run_on_node(self, parts: Parts, cluster: Cluster) -> None:
        """Create its pod. Raises UnsettledError as `log_in` does."""
        self._make(parts, cluster, on_node=True)

    def _make(self, parts: Parts, cluster: Cluster, on_node: bool) -> None:
        for each in mesh.gateway(self._made, parts, on_node):
            cluster.apply(each, mesh.MANAGER)
        mesh.give_certificate(parts, cluster)
        mesh.listen(cluster, here_only=not on_node)

    def command(self, parts: Parts) -> Command:
        return mesh.gateway_command(self._agent, _own_name(parts, self.name, self._envoy), parts)

    def check(self, parts: Parts) -> None:
        _ask(parts, GATEWAY_ADMIN, "ready")


class Kyverno(OperatorPart):
    """The admission controller that enforces the platform's policies."""

    name = KYVERNO
    choice = KYVERNO
    account = (policies.NAMESPACE, policies.ACCOUNT)
    environment = policies.ENVIRONMENT
    webhooks = policies.WEBHOOKS

    def __init__(self) -> None:
        self._operator = kyverno.operator()

    def objects(self) -> list[Object]:
        return list(policies.objects(self._operator.objects))

    def log_in(self, parts: Parts, cluster: Cluster) -> None:
        policies.check_rights(cluster)
        super().log_in(parts, cluster)

    def command(self, parts: Parts) -> Command:
        program = _own_name(parts, self.name, self._operator.program)
        return policies.command(program, self.kubeconfig(parts), parts)

    def check(self, parts: Parts) -> None:
        policies.check(Cluster(kubeconfig=parts.kubeconfig, retries=0))


def _own_name(parts: Parts, name: str, program: Path) -> Path:
    """A path of the program in the checkout, by which `ps` shows whose process it is."""
    link = parts.folder / name
    link.unlink(missing_ok=True)
    link.symlink_to(program)
    return link


def _ask(parts: Parts, listener: str, path: str) -> None:
    Http(f"http://127.0.0.1:{parts.ports[listener]}", retries=0).call("GET", path, {})


PLATFORM_PARTS: Sequence[type[PlatformPart]] = (
    ExternalSecrets,
    PrometheusOperator,
    Prometheus,
    Istiod,
    Gateway,
    Kyverno,
)
NAMES = tuple(part.name for part in PLATFORM_PARTS)
CHOICES = (EXTERNAL_SECRETS, PROMETHEUS, ISTIO, KYVERNO, NODE, PACKETS, KEYCLOAK)
DEFAULT = EXTERNAL_SECRETS


def chosen(environment: Mapping[str, str]) -> Sequence[str]:
    """Those of `CHOICES` that `PARTS` names, as in `make servers PARTS=none`. Raises UserError."""
    wanted = environment.get("PARTS", DEFAULT).replace(",", " ").split()
    if wanted == ["all"]:
        return CHOICES
    if wanted == ["none"]:
        return []
    if unknown := [name for name in wanted if name not in CHOICES]:
        known = ", ".join(CHOICES)
        raise UserError(f"PARTS: no part {unknown[0]!r}; use some of {known}, or all or none.")
    return wanted
