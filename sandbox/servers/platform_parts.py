"""What a platform team installs on its cluster, run for real on the sandbox's: one class each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import yaml

from binaries import external_secrets
from binaries.console import UserError
from clients.http import Http
from clients.kubernetes import Cluster, Object
from sandbox.servers.parts import EXTERNAL_SECRETS, KEYCLOAK, NODE, PACKETS, Command, Parts

TOKEN_SECONDS = 365 * 24 * 3600  # a year: nobody renews the token of a server that runs


class PlatformPart(ABC):
    """A part of the platform: its program, its objects on the cluster, and its own identity.

    It is the ServiceAccount `account` (namespace, name), with the rights that its chart gives, so
    that what it lacks on a real cluster, it lacks here.
    """

    name: ClassVar[str]
    account: ClassVar[tuple[str, str]]

    @abstractmethod
    def __init__(self) -> None:
        """Provide the program; raise UserError if that is not possible."""

    @property
    @abstractmethod
    def definitions(self) -> Sequence[Object]:
        """Its CustomResourceDefinitions, as it publishes them."""

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
        self._operator = external_secrets.operator()

    @cached_property
    def definitions(self) -> Sequence[Object]:
        files = sorted(self._operator.definitions.glob("*.yaml"))
        return [yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader) for file in files]

    def command(self, parts: Parts) -> Command:
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


PLATFORM_PARTS: Mapping[str, type[PlatformPart]] = {each.name: each for each in (ExternalSecrets,)}
CHOICES = (*PLATFORM_PARTS, NODE, PACKETS, KEYCLOAK)
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
        raise UserError(f"PARTS: no part {unknown[0]!r}; name some of {known}, or all or none.")
    return wanted
