"""Which ports the servers are given."""

from pathlib import Path

import pytest

from sandbox.servers import parts
from sandbox.servers.parts import LISTENERS, Parts


def test_no_two_listeners_share_a_port_and_only_one_that_is_taken_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: set[int] = set()
    monkeypatch.setattr(parts, "_free", lambda port: port not in taken)
    monkeypatch.setattr(parts, "PORTS", range(20000, 20000 + len(LISTENERS) + 1))
    first = Parts(tmp_path)
    first.prepare(keep_ports=False)
    assert len(set(first.ports.values())) == len(LISTENERS)

    taken.add(first.ports[parts.OPENBAO])
    second = Parts(tmp_path)
    second.prepare(keep_ports=False)
    assert second.ports.keys() == first.ports.keys()
    assert dict(second.ports.items() - first.ports.items()).keys() == {parts.OPENBAO}
    assert len(set(second.ports.values())) == len(LISTENERS)
