"""The HTTP client that all clients of servers share."""

import pytest

from clients.http import PATIENCE, Http
from sandbox.servers.keys import Keys
from tests.fault_proxy import Rule, answering, proxied


def test_a_server_that_asks_for_an_hour_s_pause_is_asked_sooner(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    rules = [Rule("GET", answering(429, Retry_After="3600")), Rule("GET", answering(200))]
    with proxied("https://nobody.invalid", keys, rules) as address:
        assert Http(address, keys.ca_cert).call("GET", "", {})
    assert waits == [PATIENCE]
