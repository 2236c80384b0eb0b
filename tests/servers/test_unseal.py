"""OpenBao's key, which it tells once: kept whatever happens, and missed where it is gone."""

import signal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from binaries.console import UserError
from clients.openbao import OpenBao
from sandbox.servers.openbao_start import unseal
from sandbox.servers.processes import Interrupts


def openbao(initialized: bool) -> OpenBao:
    """Interrupts whoever initialises it."""

    def call(method: str, path: str, body: object = None) -> dict[str, Any]:
        if path == "sys/init":
            signal.raise_signal(signal.SIGTERM)
            return {"keys_base64": ["key"], "root_token": "token"}
        return {"initialized": initialized, "sealed": False}

    return mock.Mock(spec=OpenBao, call=call)


def test_an_interrupt_waits_until_the_key_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        unseal(openbao(initialized=False), file, interrupts)
    assert unseal(openbao(initialized=True), file, Interrupts()) == "token"


def test_a_lost_key_is_reported_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`make servers-down`, then remove \.sandbox/servers"):
        unseal(openbao(initialized=True), tmp_path / "key.json", Interrupts())
