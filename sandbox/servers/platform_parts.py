"""What a platform team installs on its cluster, run for real on the sandbox's: one class each."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import yaml

from binaries import external_secrets
from clients.http import Http
from clients.kubernetes import Cluster, Object
from sandbox.servers.parts import EXTERNAL_SECRETS, Command, Parts

TOKEN_SECONDS = 365 * 24 * 3600  # a year: nobody renews the token of a server that runs


class PlatformPart(ABC):
    """A part of the platform: its program, its objects on the cluster, and its own identity.

    It is the ServiceAccount `account` (namespace, name), with the rights that its chart gives, so
    that what it lacks on a real cluster, it lacks here.
    """

    name: ClassVar[str]
    account: ClassVar[tuple[str, str]]

    @abstractmethod
    def get(self) -> None:
        """Provide the program; raise UserError if that is not possible."""

    @abstractmethod
    def definitions(self) -> list[Object]:
        """Its CustomResourceDefinitions, as it publishes them; `get` provides them."""

    @abstractmethod
    def command(self, parts: Parts) -> Command:
        """Its command line. KUBECONFIG is set, for its ServiceAccount."""

    @abstractmethod
    def check(self, parts: Parts) -> None:
        """Raise UnreachableError or RefusedError until it answers."""

    def objects(self) -> list[Object]:
        """What its chart installs besides the definitions, as far as it matters here."""
        text = Path(__file__).with_name(f"{self.name}.yaml").read_text(encoding="utf-8")
        return list(yaml.safe_load_all(text))

    def kubeconfig(self, parts: Parts) -> Path:
        return parts.folder / "keys" / f"{self.name}.kubeconfig"

    def log_in(self, parts: Parts, cluster: Cluster) -> None:
        """Write the kubeconfig, with a new token: the account may be another since the last one."""
        token = cluster.token(*self.account, seconds=TOKEN_SECONDS)
        parts.keys.write_kubeconfig_with(self.kubeconfig(parts), self.name, token, cluster.address)


class ExternalSecrets(PlatformPart):
    """The operator that fetches a team's secrets from OpenBao."""

    name = EXTERNAL_SECRETS
    account = ("external-secrets", "external-secrets")

    def __init__(self) -> None:
        self._operator: external_secrets.Operator | None = None

    def get(self) -> None:
        self._operator = external_secrets.operator()

    def definitions(self) -> list[Object]:
        assert self._operator
        files = sorted(self._operator.definitions.glob("*.yaml"))
        return [yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader) for file in files]

    def command(self, parts: Parts) -> Command:
        assert self._operator
        # Under this name, `ps` tells the operators of several checkouts apart.
        program = parts.folder / self.name
        program.unlink(missing_ok=True)
        program.symlink_to(self._operator.program)
        return [
            program,
            f"--metrics-addr=127.0.0.1:{parts.ports[EXTERNAL_SECRETS]}",
            # Kinds that no stack makes; each would cost a watch.
            "--enable-cluster-external-secret-reconciler=false",
            "--enable-push-secret-reconciler=false",
            "--enable-cluster-push-secret-reconciler=false",
        ]

    def check(self, parts: Parts) -> None:
        address = f"http://127.0.0.1:{parts.ports[EXTERNAL_SECRETS]}"
        Http(address, retries=0).call("GET", "metrics", {})


PLATFORM_PARTS: Sequence[type[PlatformPart]] = (ExternalSecrets,)
