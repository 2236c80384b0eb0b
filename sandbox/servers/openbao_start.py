"""Starts OpenBao: initialises it the first time, and unseals it each time."""

import json
from pathlib import Path

from binaries.console import UserError
from clients.local_servers import FOLDER
from clients.openbao import OpenBao
from sandbox.servers.processes import Interrupts
from sandbox.servers.record import write_private


def unseal(openbao: OpenBao, file: Path, interrupts: Interrupts) -> str:
    """Unseal it; return the root token. The token and the key are kept in `file`.

    Raises UserError if the key is lost, RefusedError or UnreachableError while it is starting.
    """
    if not openbao.call("GET", "sys/seal-status")["initialized"]:
        with interrupts.held():  # OpenBao shows the key once: without it, OpenBao stays locked
            answer = openbao.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            kept = {"unseal_key": answer["keys_base64"][0], "root_token": answer["root_token"]}
            write_private(file, json.dumps(kept))
    if not file.exists():
        raise UserError(
            f"OpenBao's key {file} is gone, and all its data with it; "
            f"run `make servers-down`, then remove {FOLDER} to start over."
        )
    keys: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    if openbao.call("GET", "sys/seal-status")["sealed"]:
        openbao.call("PUT", "sys/unseal", {"key": keys["unseal_key"]})
    openbao.call("GET", "sys/health")
    return keys["root_token"]
