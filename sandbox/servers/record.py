"""Files of `make servers`: for others to find its servers, readable by their owner only."""

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from clients.local_servers import environment_file

_HEADER = """\
# Written by `make servers`, for `. FILE` in a shell: kubectl, bao and pulumi then go to them.
# It holds an administrator's token; `make servers-down` removes it.
"""

# A Harbor in the environment is provisioned; without one, the program leaves its part out.
_WITHOUT_HARBOR = '[ -n "${HARBOR_URL:-}" ] || export SRE_PLATFORM_LEAVE_OUT=harbor\n'


def write(folder: Path, openbao: str, token: str, more: Mapping[str, str]) -> None:
    """Record that they run: OpenBao at that address with that root token, and `more` settings."""
    state = folder / "pulumi"
    state.mkdir(exist_ok=True)
    passphrase = folder / "passphrase"
    if not passphrase.exists():
        write_private(passphrase, secrets.token_urlsafe(32))
    exports = {"KUBECONFIG": str(folder / "kubeconfig"), **more}
    for tool in ("VAULT", "BAO"):
        exports[f"{tool}_ADDR"] = openbao
        exports[f"{tool}_TOKEN"] = token
        exports[f"{tool}_CACERT"] = str(folder / "ca.crt")
    # Without a second file beside the state, which a kill can leave half-written.
    exports["PULUMI_BACKEND_URL"] = f"{state.as_uri()}?metadata=skip"
    exports["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase)
    lines = (f"export {name}={shlex.quote(text)}\n" for name, text in exports.items())
    write_private(environment_file(folder), _HEADER + "".join(lines) + _WITHOUT_HARBOR)


def write_private(file: Path, content: str | bytes) -> None:
    """Write a file that only its owner can read, completely or not at all."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    data = content.encode() if isinstance(content, str) else content
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
    new.replace(file)
