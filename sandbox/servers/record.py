"""What `make servers` leaves for others to find: where its servers are and how to reach them."""

import os
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(".sandbox", "servers")  # in the checkout

_HEADER = """\
# Written by `make servers`, for `. FILE` in a shell: kubectl, bao and pulumi then go to them.
# It holds an administrator's token; `make servers-down` removes it.
"""

# A Harbor that the environment names is provisioned; without one the program leaves its part out.
_WITHOUT_HARBOR = '[ -n "${HARBOR_URL:-}" ] || export SRE_PLATFORM_LEAVE_OUT=harbor\n'


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


def write(folder: Path, openbao: str, token: str) -> None:
    """Say that they run: OpenBao at that address, with that root token."""
    state = folder / "pulumi"
    state.mkdir(exist_ok=True)
    passphrase = folder / "passphrase"
    if not passphrase.exists():
        write_private(passphrase, secrets.token_urlsafe(32))
    exports = {"KUBECONFIG": str(folder / "kubeconfig")}
    for tool in ("VAULT", "BAO"):
        exports[f"{tool}_ADDR"] = openbao
        exports[f"{tool}_TOKEN"] = token
        exports[f"{tool}_CACERT"] = str(folder / "ca.crt")
    # Without a second file beside the state, which a kill can leave half written.
    exports["PULUMI_BACKEND_URL"] = f"{state.as_uri()}?metadata=skip"
    exports["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase)
    lines = (f"export {name}={shlex.quote(text)}\n" for name, text in exports.items())
    write_private(environment_file(folder), _HEADER + "".join(lines) + _WITHOUT_HARBOR)


def environment_file(folder: Path) -> Path:
    """It is there while the servers are meant to run."""
    return folder / "environment"


def write_private(file: Path, content: str | bytes) -> None:
    """Write a file that its owner alone may read; whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    data = content.encode() if isinstance(content, str) else content
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
    new.replace(file)
