"""The servers that `make servers` started in a checkout: where they are and how to reach them."""

import shlex
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(".sandbox", "servers")  # in the checkout


@dataclass(frozen=True)
class Servers:
    """The servers of a checkout.

    `kubeconfig` is an administrator's, its current context `sandbox`; `ca_cert` is the CA of all
    their certificates; `environment` is what kubectl, bao and the providers read: KUBECONFIG, and
    ADDR, TOKEN and CACERT both as `VAULT_...` and as `BAO_...`.
    """

    folder: Path
    kubeconfig: Path
    ca_cert: Path
    environment: dict[str, str]


def running(root: Path) -> Servers | None:
    """What `make servers` started in the checkout; None if it has not, or has stopped them."""
    folder = root.resolve() / FOLDER
    try:
        lines = environment_file(folder).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    words = [shlex.split(line) for line in lines if line.startswith("export ")]
    pairs = (word.partition("=") for _, word in words)
    environment = {name: text for name, _, text in pairs if not name.startswith("PULUMI_")}
    if "VAULT_ADDR" not in environment:  # not what we wrote
        return None
    return Servers(folder, folder / "kubeconfig", folder / "ca.crt", environment)


def environment_file(folder: Path) -> Path:
    """It is there while the servers are meant to run."""
    return folder / "environment"
