"""What calls and callers become, as an API server takes it: nothing is lost, refused or left."""

import pytest
import yaml

from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.conftest import Program
from tests.program import AUTHORIZATION_POLICY, NETWORK_POLICY, ROOT, SERVICE_ENTRY, as_yaml
from tests.servers.conftest import cluster_of, nothing_differs
from tests.servers.test_availability import lost
from tests.written import KEYS_STACK

pytestmark = pytest.mark.servers

MANAGER = "test-calls"
KINDS = (NETWORK_POLICY, AUTHORIZATION_POLICY, SERVICE_ENTRY)
FILES = [ROOT / "tests" / "keys" / f"{name}.yaml" for name in ("calls", "callers")]
APIS = {
    "NetworkPolicy": "networking.k8s.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
}


def test_every_field_is_served(cluster: Cluster, program: Program) -> None:
    made = program(*(file.read_text(encoding="utf-8") for file in FILES), **KEYS_STACK)
    for one in made.all(*KINDS):
        metadata = {**one.metadata, "namespace": "default"}
        kept = cluster.apply({**one.inputs, "metadata": metadata}, MANAGER, dry_run=True)
        assert not lost(one.spec, kept["spec"]), one


# What someone wrote by hand before the program came: wider than any call.
BY_HAND = {
    "AuthorizationPolicy": ("ledger", {"action": "ALLOW", "rules": [{}]}),
    "ServiceEntry": (
        "ledger-api-stripe-com",
        {
            "hosts": ["api.stripe.com", "example.com"],
            "ports": [{"number": 8443, "name": "other", "protocol": "TCP"}],
            "addresses": ["192.0.2.1"],
        },
    ),
}


@pytest.fixture(scope="module")
def called(servers: Checkout) -> Checkout:
    """The two teams on a cluster, in a stack as they need it, which takes over what was there."""
    cluster = cluster_of(servers)
    team: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calls"}}
    cluster.create(team, manager="kubectl-create")
    for kind, (name, spec) in BY_HAND.items():
        metadata = {"name": name, "namespace": "calls"}
        existing = {"apiVersion": APIS[kind], "kind": kind, "metadata": metadata, "spec": spec}
        cluster.create(existing, manager="kubectl-create")
    stack = servers.folder / "Pulumi.dev.yaml"
    config = yaml.safe_load(stack.read_text(encoding="utf-8"))
    config["config"] |= {f"sre-platform:{name}": value for name, value in KEYS_STACK.items()}
    for file in FILES:
        (servers.folder / "tenants" / file.name).write_text(file.read_text(encoding="utf-8"))
    for adopt in (True, False):
        config["config"]["sre-platform:adopt"] = adopt
        stack.write_text(as_yaml(config), encoding="utf-8")
        servers.up()
    return servers


def _names(checkout: Checkout, kind: str, team: str = "calls") -> set[str]:
    listed: list[Object] = cluster_of(checkout).list(APIS[kind], kind, team)
    return {each["metadata"]["name"] for each in listed}


def test_a_run_makes_both_sides(called: Checkout) -> None:
    assert _names(called, "AuthorizationPolicy") == {"allow-istio-gateway", "ledger", "rates"}
    assert _names(called, "AuthorizationPolicy", "callers") == {
        "allow-istio-gateway",
        "allow-same-namespace",
        "invoices",
    }
    assert _names(called, "ServiceEntry") == {
        "ledger-10-200-0-0-16",
        "ledger-api-stripe-com",
        "ledger-db-example-com",
        "ledger-smtp-example-com",
    }
    assert "allow-same-namespace" not in _names(called, "NetworkPolicy")


@pytest.mark.parametrize("kind", BY_HAND)
def test_nothing_of_what_was_there_is_wider_any_more(
    called: Checkout, program: Program, kind: str
) -> None:
    made = program(*(file.read_text(encoding="utf-8") for file in FILES), **KEYS_STACK)
    name, _ = BY_HAND[kind]
    wanted = made.one(f"kubernetes:{APIS[kind]}:{kind}", f"calls/{name}")
    live = cluster_of(called).get(APIS[kind], kind, "calls", name)
    assert live
    assert live["spec"] == wanted.spec


def test_the_cluster_has_what_the_next_run_would_make(called: Checkout) -> None:
    nothing_differs(called)


def test_calls_that_are_no_longer_declared_leave_nothing_behind(called: Checkout) -> None:
    for file in FILES:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        for app in data["apps"]:
            app.pop("calls", None)
            app.pop("callers", None)
        (called.folder / "tenants" / file.name).write_text(as_yaml(data), encoding="utf-8")
    called.up()
    assert _names(called, "ServiceEntry") == set()
    assert _names(called, "AuthorizationPolicy") == {"allow-istio-gateway"}
    policy = cluster_of(called).get(APIS["NetworkPolicy"], "NetworkPolicy", "calls", "ledger")
    assert policy
    assert len(policy["spec"]["egress"]) == 2  # DNS and port 443
    assert len(policy["spec"]["ingress"]) == 1  # Prometheus
