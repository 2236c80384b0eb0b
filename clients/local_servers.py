"""The servers that `make servers` started in a checkout: their addresses and credentials."""

import shlex
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(".sandbox", "servers")  # relative to the checkout


@dataclass(frozen=True)
class Servers:
    """The servers of a checkout.

    `kubeconfig` is an administrator's, with the current context `sandbox`; `ca_cert` is the CA of
    all their certificates; `environment` is what kubectl, bao and the providers read: KUBECONFIG,
    and ADDR, TOKEN and CACERT both as `VAULT_...` and as `BAO_...`.
    """

    folder: Path
    kubeconfig: Path
    ca_cert: Path
    environment: dict[str, str]


def running(root: Path) -> Servers | None:
    """The servers that `make servers` started in the checkout; None if not started, or stopped."""
    folder = root.resolve() / FOLDER
    try:
        lines = environment_file(folder).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    words = [shlex.split(line) for line in lines if line.startswith("export ")]
    pairs = (word.partition("=") for _, word in words)
    environment = {name: text for name, _, text in pairs if not name.startswith("PULUMI_")}
    if "VAULT_ADDR" not in environment:  # not written by this program
        return None
    return Servers(folder, folder / "kubeconfig", folder / "ca.crt", environment)


def environment_file(folder: Path) -> Path:
    """The file exists while the servers are supposed to run."""
    return folder / "environment"
