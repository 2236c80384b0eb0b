"""What sidecars that run make of `calls` and `callers`: who gets through, and to what outside."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from ipaddress import ip_network
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clients.kubernetes import Cluster
from sandbox.servers import mesh as istios
from sandbox.servers import parts
from sandbox.servers.keys import self_signed
from sandbox.servers.processes import Process, stop
from tests.checkouts import Checkout
from tests.parts.sidecars import APP, Network, Networks
from tests.parts.test_sidecars import STACK, pods, sidecars
from tests.servers.conftest import cluster_of, record_of, start, until
from tests.written import entry
from tools.reach.answer import answer_for
from tools.reach.edges import Node
from tools.reach.names import find
from tools.reach.world import World, world

pytestmark = pytest.mark.parts

APPS = {"bank": ("ledger", "teller", "clerk"), "shop": ("storefront", "basket")}
LEDGER = "ledger.bank.svc.cluster.local"
REFUSED = "403 RBAC: access denied"
# Envoy closes a connection that leads nowhere, before or after the request is sent.
CLOSED = {"ConnectionResetError", "RemoteDisconnected", "SSLEOFError", "SSLZeroReturnError"}
PUSHED = 180  # seconds in which istiod has told the sidecars, on a busy machine too
OUTSIDE, ELSEWHERE = "10.0.0.240", "10.0.0.241"  # nothing is there
# Addresses of one range that apps call, and of none; on each, these ports and HTTPS on 443.
NEAR, FAR, UNKNOWN = RANGED = ("10.200.1.1", "10.200.9.9", "10.201.1.1")
PORTS = (80, 7000, 8080, 8444, 9443)
DECLARED = "namespace: {internalTraffic: declared}\n"
ENFORCED = "  sre-platform:istio:\n    authorization: enforce\n"
ONE_POD = "autoscaling: {enabled: false}\npodDisruptionBudget: {enabled: false}\n"


def app(team: str, name: str, keys: str = "", *, archetype: str = "web-app", own: str = "") -> str:
    image = f"{{repository: harbor.sre.internal/{team}/{name}, tag: v1.0.0}}"
    return entry(f"replicas: 1\n{own}", ONE_POD + keys, archetype=archetype, name=name, image=image)


LEDGERS_CALLERS = "callers: [{team: shop, app: storefront, paths: [/v1/*], methods: [GET]}]"
SHARED = "{host: api.example.com}, {host: '*.any.example.com'}, {host: plain.example.com, port: 80}"
STOREFRONTS_CALLS = (
    f"calls: [{{team: bank, app: ledger}}, {SHARED}, {{host: one.example.com, port: 5432}}, "
    "{host: both.example.com}, {host: alt.example.com, port: 8080}, "
    "{cidr: 10.200.0.0/16, port: 80}, {cidr: 10.200.0.0/16, port: 443}, "
    "{cidr: 10.200.0.0/16, port: 8080}, {cidr: 10.200.0.0/16, port: 8444}, "
    "{cidr: 10.200.1.0/24, port: 8444}, {cidr: 10.200.1.1/32, port: 9443}, "
    "{cidr: 'fd00:1::/64', port: 8444}, {cidr: '::/0', port: 7443}, "
    "{cidr: 'fd00:1::1/128', port: 8444}]"
)
BASKETS_CALLS = (
    f"calls: [{SHARED}, {{host: two.example.com, port: 5432}}, "
    "{host: both.example.com, port: 8443}, {cidr: 10.200.0.0/16, port: 8444}, "
    "{cidr: 10.200.1.1/32, port: 9443}, {cidr: 0.0.0.0/0, port: 7000}]"
)
FILES = {
    "bank": f"{DECLARED}apps:\n"
    + app("bank", "ledger", LEDGERS_CALLERS, own="ports: [{name: admin, port: 9000}]")
    + app("bank", "teller", "calls: [{app: ledger}, {app: clerk}]")
    + app("bank", "clerk", own="servicePort: 80"),
    "shop": "apps:\n"
    + app("shop", "storefront", STOREFRONTS_CALLS, archetype="worker")
    + app("shop", "basket", BASKETS_CALLS, archetype="worker"),
}


class Mesh(NamedTuple):
    """The apps' networks and addresses by name, the address of ledger's Service, and
    the certificate of hosts outside."""

    checkout: Checkout
    cluster: Cluster
    apps: Mapping[str, Network]
    addresses: Mapping[str, str]
    service: str
    certificate: Path


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    checkout = Checkout(tmp_path_factory.mktemp("mesh") / "checkout")
    for team, keys in FILES.items():
        file = checkout.folder / "tenants" / f"{team}.yaml"
        file.write_text(f"team: {team}\n{keys}", encoding="utf-8")
    checkout.edit(STACK, "  sre-platform:istio:\n", ENFORCED)
    certificate = tmp_path_factory.mktemp("outside") / "outside.pem"
    certificate.write_bytes(b"".join(self_signed("*.example.com", "*.any.example.com")))
    with sidecars(checkout) as networks:
        yield running(checkout, networks, certificate)


def running(checkout: Checkout, networks: Networks, certificate: Path) -> Mesh:
    cluster = cluster_of(checkout)
    apps, addresses = {}, {}
    for team, names in APPS.items():
        for name in names:
            label = (cluster, team, "app.kubernetes.io/name", name)
            until(lambda label=label: pods(*label))
            (pod,) = pods(*label)
            apps[name], addresses[name] = networks.start_pod(pod, OUTSIDE), pod["status"]["podIP"]
    outside = networks.add(OUTSIDE)
    for listens in (80, 5432, 5433, 8443):
        networks.start(outside.inside(sys.executable, "-c", APP, listens))
    for listens in (443, 8080):
        networks.start(outside.inside(sys.executable, "-c", APP, listens, certificate))
    for address in RANGED:
        outside = networks.add(address)
        networks.start(outside.inside(sys.executable, "-c", APP, 443, certificate))
        for listens in PORTS:
            networks.start(outside.inside(sys.executable, "-c", APP, listens))
    service = cluster.get("v1", "Service", "bank", "ledger")
    assert service
    mesh = Mesh(checkout, cluster, apps, addresses, service["spec"]["clusterIP"], certificate)
    for name in ("storefront", "teller", "basket", "clerk"):
        until(lambda name=name: ask(mesh, name)[:3] in {"200", "403"})
    return mesh


def ask(mesh: Mesh, caller: str, path: str = "/v1/a", method: str = "GET", port: int = 8080) -> str:
    """What a caller gets from ledger's Service."""
    return mesh.apps[caller].ask(method, mesh.service, port, f"{LEDGER}:{port}", path)


def test_an_app_that_callers_names_gets_the_paths_and_methods_that_it_is_given(mesh: Mesh) -> None:
    answer = ask(mesh, "storefront")
    assert answer.startswith("200")
    assert "URI=spiffe://cluster.local/ns/shop/sa/storefront" in answer
    for path, method in (
        ("/v1", "GET"),
        ("/v2/a", "GET"),
        ("/v1/../v2", "GET"),
        ("/metrics", "GET"),
        ("/v1/a", "POST"),
        ("/v1/a", "DELETE"),
    ):
        assert ask(mesh, "storefront", path, method) == REFUSED, (path, method)
    assert ask(mesh, "storefront", port=9000) == REFUSED


def test_no_other_app_of_its_team_gets_through_to_the_service_or_to_a_pod(mesh: Mesh) -> None:
    assert ask(mesh, "basket") == REFUSED
    assert ask(mesh, "basket", port=9000) == REFUSED
    pod = mesh.addresses["ledger"]
    assert mesh.apps["storefront"].get(pod, 8080, f"{LEDGER}:8080", "/v1/a").startswith("200")
    assert mesh.apps["basket"].get(pod, 8080, f"{LEDGER}:8080", "/v1/a") == REFUSED


def test_in_a_namespace_that_is_closed_inside_calls_alone_open_an_app(mesh: Mesh) -> None:
    answer = ask(mesh, "teller", "/v2/a")
    assert answer.startswith("200")
    assert "URI=spiffe://cluster.local/ns/bank/sa/teller" in answer
    assert ask(mesh, "teller", "/v2/a", "POST").startswith("501")  # from the app
    assert ask(mesh, "teller", port=9000) == REFUSED
    assert ask(mesh, "clerk") == REFUSED
    teller = mesh.addresses["teller"]  # which names no callers
    host = "teller.bank.svc.cluster.local:8080"
    assert mesh.apps["clerk"].get(teller, 8080, host) == REFUSED
    assert mesh.apps["storefront"].get(teller, 8080, host) == REFUSED


def test_a_policy_names_the_app_s_port_where_its_service_has_another(mesh: Mesh) -> None:
    service = mesh.cluster.get("v1", "Service", "bank", "clerk")
    assert service
    place = (service["spec"]["clusterIP"], 80, "clerk.bank.svc.cluster.local")
    assert mesh.apps["teller"].get(*place).startswith("200")
    for caller in ("ledger", "storefront"):
        assert mesh.apps[caller].get(*place) == REFUSED


class Outbound(NamedTuple):
    """What leaves through a sidecar: cluster by port and SNI or HTTP host, and all clusters.

    `unknown` says what becomes of HTTP to other hosts: `allow_any`, or `block_all`.
    """

    clusters: frozenset[str]
    by_name: Mapping[tuple[int, str], str]
    otherwise: Mapping[int, str]
    unknown: frozenset[str]


def outbound(mesh: Mesh, caller: str) -> Outbound:
    """What Envoy has of istiod, as `istioctl proxy-config` shows it."""
    dump = json.loads(
        mesh.apps[caller].get("127.0.0.1", 15000, "localhost", "/config_dump").removeprefix("200 ")
    )
    sections = {each["@type"].rpartition(".")[2]: each for each in dump["configs"]}
    clusters = frozenset(
        each["cluster"]["name"]
        for each in sections["ClustersConfigDump"]["dynamic_active_clusters"]
    )
    by_name, otherwise, unknown = {}, {}, set()
    for each in sections["ListenersConfigDump"]["dynamic_listeners"]:
        assert "error_state" not in each, each
        listener = each["active_state"]["listener"]
        if listener["address"]["socket_address"]["address"] != "0.0.0.0":
            continue
        listens = listener["address"]["socket_address"]["port_value"]
        for chain in [*listener.get("filter_chains", ()), listener.get("default_filter_chain", {})]:
            for cluster in _clusters(chain.get("filters", ())):
                names = chain.get("filter_chain_match", {}).get("server_names")
                for name in names or ():
                    by_name[listens, name] = cluster
                if names is None:
                    otherwise[listens] = cluster
    dumped = sections["RoutesConfigDump"]["dynamic_route_configs"]
    for each in (one["route_config"] for one in dumped):
        if not each["name"].isdigit():
            continue
        for host in each.get("virtual_hosts", ()):
            for domain in host["domains"]:
                if domain.endswith("example.com"):
                    route = host["routes"][0].get("route", {}).get("cluster")
                    by_name[int(each["name"]), domain] = route
                elif domain == "*":
                    unknown.add(host["name"])
    return Outbound(clusters, by_name, otherwise, frozenset(unknown))


def _clusters(filters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in filters:
        if cluster := each["typed_config"].get("cluster"):
            yield cluster


@pytest.mark.parametrize("caller", ["storefront", "basket"])
def test_hosts_that_apps_of_a_team_share_have_each_a_cluster(mesh: Mesh, caller: str) -> None:
    found = outbound(mesh, caller)
    hosts = {(443, host) for host in ("api.example.com", "*.any.example.com", "both.example.com")}
    hosts.add((80, "plain.example.com"))
    assert found.by_name == {(at, host): f"outbound|{at}||{host}" for at, host in hosts}
    # All hosts of a TCP port share its listener.
    assert found.otherwise[5432] in {f"outbound|5432||{one}.example.com" for one in ("one", "two")}
    assert found.otherwise[8080] == "outbound|8080||alt.example.com"
    assert found.otherwise[8443] == "outbound|8443||both.example.com"
    assert {*found.by_name.values(), *found.otherwise.values()} <= found.clusters


@contextmanager
def registry_only(mesh: Mesh) -> Iterator[None]:
    """A mesh whose sidecars connect to what they know, and to nothing else."""
    live = mesh.cluster.get("v1", "ConfigMap", istios.NAMESPACE, "istio")
    assert live
    path = mesh.cluster.path("v1", "ConfigMap", istios.NAMESPACE, "istio")

    def put(text: str) -> None:
        patch = {"data": {"mesh": text}}
        mesh.cluster.call("PATCH", path, patch, None, "application/merge-patch+json")
        # Sidecars sometimes missed istiod's push; when it starts, they ask.
        stop([Process(record_of(mesh.checkout).folder, parts.ISTIOD)])
        start(mesh.checkout, parts.ISTIO)

    def all_have(cluster: str, host: str) -> bool:
        found = [outbound(mesh, caller) for caller in APPS["shop"]]
        return all((one.otherwise[443], one.unknown) == (cluster, {host}) for one in found)

    try:
        put(f"{live['data']['mesh'].rstrip()}\noutboundTrafficPolicy: {{mode: REGISTRY_ONLY}}\n")
        until(lambda: all_have("BlackHoleCluster", "block_all"), PUSHED)
        yield
    finally:
        put(live["data"]["mesh"])
    until(lambda: all_have("PassthroughCluster", "allow_any"), PUSHED)


def https(mesh: Mesh, host: str, address: str = OUTSIDE, port: int = 443) -> str:
    """What storefront gets from a host, whose certificate it verifies."""
    return mesh.apps["storefront"].get(address, port, host, trust=mesh.certificate)


def test_a_mesh_that_knows_declared_hosts_alone_lets_apps_reach_them_and_no_others(
    mesh: Mesh,
) -> None:
    def get(listens: int, host: str) -> str:
        return mesh.apps["storefront"].get(OUTSIDE, listens, host)

    assert get(5433, "three.example.com").startswith("200")  # not declared
    assert https(mesh, "other.example.com").startswith("200")
    with registry_only(mesh):
        for listens, host in ((5432, "one"), (5432, "two"), (8443, "both")):
            assert get(listens, f"{host}.example.com").startswith("200")
        assert get(5433, "three.example.com") in CLOSED
        assert get(80, "plain.example.com").startswith("200")
        assert get(80, "other.example.com") == "502"
        assert https(mesh, "a.any.example.com").startswith("200")
        assert https(mesh, "other.example.com") in CLOSED
        # Of a full name, the sidecar itself looks up the address.
        assert https(mesh, "api.example.com", ELSEWHERE).startswith("200")
        assert https(mesh, "both.example.com").startswith("200")
        # Port 8080 is one of Services in the mesh too, which own its plain HTTP.
        assert https(mesh, "alt.example.com", port=8080).startswith("200")
        assert get(8080, "alt.example.com:8080") == "502"
        assert ask(mesh, "storefront").startswith("200")


@pytest.mark.parametrize("caller", ["storefront", "basket"])
def test_a_mesh_that_knows_declared_addresses_alone_lets_a_team_s_apps_reach_them_and_no_others(
    mesh: Mesh, caller: str
) -> None:
    def get(address: str, listens: int) -> str:
        trust = mesh.certificate if listens == 443 else ""
        return mesh.apps[caller].get(address, listens, "other.example.com", trust=trust)

    known = {(address, listens) for address in (NEAR, FAR) for listens in (80, 443, 8080, 8444)}
    known |= {(NEAR, 9443), *((address, 7000) for address in RANGED)}
    with registry_only(mesh):
        for address in RANGED:
            for listens in (443, *PORTS):
                answer = get(address, listens)
                if (address, listens) in known:
                    assert answer.startswith("200"), (address, listens, answer)
                else:
                    assert answer in {*CLOSED, "502"}, (address, listens, answer)
        assert ask(mesh, caller)[:3] == ("200" if caller == "storefront" else "403")


@contextmanager
def another(mesh: Mesh, port: int, *addresses: str) -> Iterator[None]:
    """An entry of shop as no call makes it."""
    metadata = {"name": "another", "namespace": "shop"}
    spec = {
        "hosts": ["another.example.com"],
        "exportTo": ["."],
        "ports": [{"number": port, "name": f"tcp-{port}", "protocol": "TCP"}],
        "resolution": "NONE",
        **({"addresses": [*addresses]} if addresses else {}),
    }
    version, kind = "networking.istio.io/v1", "ServiceEntry"
    entry = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    mesh.cluster.apply(entry, "test")
    try:
        yield
    finally:
        mesh.cluster.delete(version, kind, "shop", "another")


def test_a_range_that_contains_a_service_takes_its_http_from_the_mesh(mesh: Mesh) -> None:
    """So the doctor warns about one."""
    around = str(ip_network(f"{mesh.service}/24", strict=False))
    with another(mesh, 8080, around):
        until(lambda: ask(mesh, "storefront") in CLOSED)
        assert ask(mesh, "basket") in CLOSED
        assert ask(mesh, "storefront", port=9000) == REFUSED
    until(lambda: ask(mesh, "storefront").startswith("200"))


@pytest.mark.parametrize("port", [15001, 15006])
def test_a_sidecar_rejects_a_listener_on_a_port_of_its_own(mesh: Mesh, port: int) -> None:
    """So validation refuses such a port."""

    def rejected() -> bool:
        text = mesh.apps["storefront"].get("127.0.0.1", 15000, "localhost", "/config_dump")
        return f"error adding listener '0.0.0.0_{port}'" in text or (
            "has duplicate address" in text and f"0.0.0.0_{port}" in text
        )

    assert not rejected()
    with another(mesh, port):
        until(rejected)
    until(lambda: not rejected())


def reachable(mesh: Mesh) -> World:
    """What `./sre reach` knows, without NetworkPolicies: nothing filters packets here."""
    objects = mesh.checkout.cluster().values()
    return world(each for each in objects if each.get("kind") != "NetworkPolicy")


REQUESTS = (("GET", "/v1/a"), ("GET", "/v2/a"), ("POST", "/v1/a"))


class Answered(NamedTuple):
    """A request of one app to another: reach's answer, and what the sidecars make of it."""

    source: str
    target: str
    request: tuple[str, str]
    ours: bool
    theirs: str

    @property
    def agrees(self) -> bool:
        """501 is the app's own answer."""
        return self.theirs[:3] in {"200", "501"} if self.ours else self.theirs == REFUSED


def answered(mesh: Mesh) -> Iterator[Answered]:
    """Each app at each port of each other app's Services."""
    known = reachable(mesh)
    for service in [each for team in APPS for each in known.services[team]]:
        (target,) = (pod for pod in known.pods[service.namespace] if service.selects(pod))
        live = mesh.cluster.get("v1", "Service", service.namespace, service.name)
        assert live
        headless = live["spec"]["clusterIP"] == "None"
        address = mesh.addresses[target.node.app] if headless else live["spec"]["clusterIP"]
        sources = [pod.node for team in APPS for pod in known.pods[team] if pod is not target]
        for number, source, request in product(service.ports, sources, REQUESTS):
            to = find(known, f"{target.node.shown}:{number}")
            said = answer_for(known, [source], to.nodes, to.asked)
            limits = [each.text for each in said.reasons if each.side == "mesh"]
            ours = said.allowed and (
                not limits or any(is_within(each, *request) for each in limits)
            )
            method, path = request
            host = f"{service.name}.{service.namespace}.svc.cluster.local:{number}"
            theirs = mesh.apps[source.app].ask(method, address, number, host, path)
            yield Answered(source.shown, to.shown, request, ours, theirs)


def settled(disagreements: Callable[[], Sequence[object]]) -> None:
    """Wait until there are none: sidecars hear of a change one after the other."""
    last: Sequence[object] = ()

    def none() -> bool:
        nonlocal last
        last = disagreements()
        return not last

    with suppress(AssertionError):
        until(none, PUSHED)
    assert last == []


def is_within(limits: str, method: str, path: str) -> bool:
    """Whether a request keeps to the limits that a reason states."""
    stated = dict(re.findall(r"only (methods|paths) ([^;]+)", limits))
    return all(
        any(fnmatchcase(value, each) for each in stated.get(key, "*").split(", "))
        for key, value in (("methods", method), ("paths", path))
    )


def test_reach_says_of_every_pair_of_apps_what_their_sidecars_do(mesh: Mesh) -> None:
    found = [*answered(mesh)]
    assert [each for each in found if not each.agrees] == []
    assert {each.ours for each in found} == {True, False}


HOSTS = ("api", "a.any", "plain", "one", "two", "both", "alt", "other", "three")


def test_reach_says_which_hosts_and_addresses_a_mesh_that_knows_declared_ones_lets_through(
    mesh: Mesh,
) -> None:
    known = reachable(mesh)
    tls = {443, 8080}  # as they listen at `OUTSIDE`
    asked = [
        *(
            (f"{host}.example.com", OUTSIDE, port, tls)
            for host, port in product(HOSTS, (80, 443, 5432, 5433, 8080, 8443))
        ),
        *((address, address, port, {443}) for address, port in product(RANGED, (443, *PORTS))),
    ]

    def disagreements() -> list[tuple[str, str, str, bool]]:
        found = []
        for caller, (name, address, port, https_on) in product(APPS["shop"], asked):
            to = find(known, f"{name}:{port}")
            said = answer_for(known, [Node("app", "shop", caller)], to.nodes, to.asked)
            ours = any(each.policy.startswith("ServiceEntry") for each in said.reasons)
            host = "other.example.com" if name == address else name
            trust = mesh.certificate if port in https_on else ""
            theirs = mesh.apps[caller].get(address, port, host, trust=trust)
            # Services in the mesh own the plain HTTP of port 8080; other protocols pass.
            passes = {"200", "502"} if name == UNKNOWN and port == 8080 else {"200"}
            if not (theirs[:3] in passes if ours else theirs in {*CLOSED, "502"}):
                found.append((caller, to.shown, theirs, ours))
        return found

    with registry_only(mesh):
        settled(disagreements)


def denied(mesh: Mesh) -> int:
    """How many requests ledger's sidecar has recorded that it would refuse."""
    text = mesh.apps["ledger"].get("127.0.0.1", 15000, "localhost", "/stats?filter=shadow_denied")
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if ": " in line)


def test_an_audit_refuses_nobody_and_records_whom_it_would(mesh: Mesh) -> None:
    mesh.checkout.edit(STACK, "authorization: enforce", "authorization: audit")
    mesh.checkout.edit("tenants/bank.yaml", DECLARED, "")  # needs enforce
    try:
        mesh.checkout.up()
        until(lambda: ask(mesh, "basket").startswith("200"))
        # Connections that were there before drain, and some last until then.
        until(lambda: ask(mesh, "storefront", "/v2/a").startswith("200"))
        until(lambda: ask(mesh, "clerk", port=9000).startswith("200"))
        until(lambda: denied(mesh) >= 2)
        settled(lambda: [each for each in answered(mesh) if not (each.ours and each.agrees)])
    finally:
        mesh.checkout.edit(STACK, "authorization: audit", "authorization: enforce")
        bank = mesh.checkout.folder / "tenants" / "bank.yaml"
        bank.write_text(f"team: bank\n{FILES['bank']}", encoding="utf-8")
        mesh.checkout.up()
    until(lambda: ask(mesh, "basket") == REFUSED)
