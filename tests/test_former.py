"""Apps that run under a release's names: what is found, what is held back, what is said."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from components.former import Former, find_formers
from components.handover import lacking_room, report, taken_names
from sandbox.servers.keys import ADMIN, Keys
from specs.names import chart_name
from specs.settings import Settings
from specs.team import Team
from tests.fake_server import FakeServer, serving

HOST = "shop.apps.sre.example.com"
GATEWAY = "istio-system/sre-gateway"
QUOTA = "v1 ResourceQuota"
VERSIONS = {
    "CronJob": "batch/v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "ResourceQuota": "v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "VirtualService": "networking.istio.io/v1",
}


@pytest.mark.parametrize(
    ("release", "app", "name"),
    [
        ("my-api", "my-api", "my-api-my-api"),
        ("web", "shop", "web-shop"),
        ("r" * 53, "storefront", f"{'r' * 53}-storefron"),
        ("r" * 53, "storefro-x", f"{'r' * 53}-storefro"),
        ("r" * 53, "storefr--x", f"{'r' * 53}-storefr-"),
    ],
)
def test_the_charts_cut_a_name_at_63_and_trim_one_dash(release: str, app: str, name: str) -> None:
    assert chart_name(release, app) == name


def a_team(*apps: Any, **more: Any) -> Team:
    return Team.model_validate({"team": "team-a", "apps": apps, **more})


def web(name: str = "shop", **more: Any) -> Any:
    image = {"repository": "harbor.sre.internal/team-a/shop", "tag": "v1"}
    ingress = {"enabled": True, "host": HOST}
    return {
        "archetype": "web-app",
        "app": {"name": name, "image": image},
        "ingress": ingress,
        **more,
    }


def an_object(kind: str, name: str, release: str, app: str = "shop", **spec: Any) -> Object:
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/instance": release}
    metadata = {"name": name, "namespace": "team-a", "labels": labels}
    return {"apiVersion": VERSIONS[kind], "kind": kind, "metadata": metadata, "spec": spec}


def a_route(name: str, to: str, host: str = HOST, gateway: str = GATEWAY) -> Object:
    http = [{"route": [{"destination": {"host": to, "port": {"number": 8080}}}]}]
    route = an_object("VirtualService", name, "web")
    route["spec"] = {"hosts": [host], "gateways": [gateway], "http": http}
    return route


@pytest.fixture
def server(keys: Keys) -> Iterator[FakeServer]:
    with serving(keys) as fake:
        yield fake


class Formers:
    """What is found of a team where these objects are live."""

    def __init__(self, server: FakeServer, keys: Keys, path: Any) -> None:
        self._server = server
        keys.write_kubeconfig(path / "kubeconfig", ADMIN, server.address)
        self.cluster = Cluster(kubeconfig=path / "kubeconfig")
        self.settings = Settings.model_validate(
            {"sre-platform:teams": "*", "sre-platform:kubernetes": {"clusterIdentifier": "x"}}
        )

    def of(self, team: Team, *live: Object) -> dict[str, Former]:
        answers = self._server.answers
        answers["GET /api/v1/namespaces/team-a"] = (200, {"kind": "Namespace"})
        served: dict[str, list[Any]] = {
            "v1": [{"name": "namespaces", "kind": "Namespace", "namespaced": False}]
        }
        for kind, version in VERSIONS.items():
            plural = kind.lower() + ("es" if kind.endswith("s") else "s")
            plural = plural.replace("policys", "policies")
            served.setdefault(version, []).append(
                {"name": plural, "kind": kind, "namespaced": True}
            )
            prefix = "apis" if "/" in version else "api"
            items = [each for each in live if each["kind"] == kind]
            path = f"GET /{prefix}/{version}/namespaces/team-a/{plural}"
            answers[path] = (200, {"items": items})
        for version, resources in served.items():
            prefix = "apis" if "/" in version else "api"
            answers[f"GET /{prefix}/{version}"] = (200, {"resources": resources})
        return find_formers(self.cluster, [team], self.settings)


@pytest.fixture
def formers(server: FakeServer, keys: Keys, tmp_path: Any) -> Formers:
    return Formers(server, keys, tmp_path)


def a_deployment(
    name: str, release: str, replicas: int = 2, available: int | None = None
) -> Object:
    selector = {
        "matchLabels": {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": release}
    }
    made = an_object("Deployment", name, release, replicas=replicas, selector=selector)
    made["status"] = {"availableReplicas": replicas if available is None else available}
    return made


def test_an_app_with_only_this_programs_names_does_not_move(formers: Formers) -> None:
    own = a_route("shop", "shop.team-a.svc.cluster.local")
    assert formers.of(a_team(web()), a_deployment("shop", "shop"), own) == {}


def test_a_release_is_known_by_helms_annotation_too(formers: Formers) -> None:
    renamed = a_deployment("web-shop", "other")
    assert formers.of(a_team(web()), renamed) == {}
    renamed["metadata"]["annotations"] = {"meta.helm.sh/release-name": "web"}
    assert formers.of(a_team(web()), renamed)["team-a/shop"].objects == (renamed,)


def test_another_apps_objects_are_not_touched(formers: Formers) -> None:
    other = an_object("Service", "web-other", "web", app="other")
    assert formers.of(a_team(web()), other) == {}


@pytest.mark.parametrize(
    ("route", "held"),
    [
        (a_route("by-hand", "elsewhere"), True),
        (a_route("by-hand", "shop"), False),
        (a_route("by-hand", "shop.team-a.svc.cluster.local"), False),
        (a_route("by-hand", "shop.team-b.svc.cluster.local"), True),
        (a_route("by-hand", "elsewhere", host="other.example.com"), False),
        (a_route("by-hand", "elsewhere", gateway="istio-system/other"), False),
    ],
)
def test_a_route_waits_while_another_for_its_host_and_gateway_leads_elsewhere(
    formers: Formers, route: Object, held: bool
) -> None:
    found = formers.of(a_team(web()), route).get("team-a/shop")
    assert (found is not None and "VirtualService" in found.held) == held


def test_a_copy_of_requests_that_goes_elsewhere_counts_as_a_destination(formers: Formers) -> None:
    route = a_route("web-shop", "shop")
    route["spec"]["http"][0]["mirror"] = {"host": "recorder"}
    former = formers.of(a_team(web()), route)["team-a/shop"]
    assert "VirtualService" in former.held
    said = report("team-a/shop", former, [])
    assert "/spec/http/0/mirror" not in said, "nothing to move before the pods are there"


@pytest.mark.parametrize(
    ("release", "held"),
    [
        ("shop", {"HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceMonitor"}),
        ("web", {"HorizontalPodAutoscaler"}),
    ],
)
def test_what_shares_pods_with_a_former_one_waits(
    formers: Formers, release: str, held: set[str]
) -> None:
    name = chart_name(release, "shop")
    labels = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": release}
    live = [
        an_object("HorizontalPodAutoscaler", name, release),
        an_object("PodDisruptionBudget", name, release, selector={"matchLabels": labels}),
        an_object("ServiceMonitor", name, release, selector={"matchLabels": labels}),
    ]
    assert formers.of(a_team(web()), *live)["team-a/shop"].held == held


def test_what_the_app_does_not_have_is_not_held_back(formers: Formers) -> None:
    live = an_object("HorizontalPodAutoscaler", "web-shop", "web")
    team = a_team(web(autoscaling={"enabled": False}))
    assert formers.of(team, live)["team-a/shop"].held == set()


def test_nothing_moves_before_the_new_pods_are_available(formers: Formers) -> None:
    live = [a_deployment("web-shop", "web", 3), a_route("web-shop", "web-shop")]
    team = a_team(web())
    few = a_deployment("shop", "shop", 3, available=1)
    said = report("team-a/shop", formers.of(team, *live, few)["team-a/shop"], [])
    assert "wait until 3 pods of Deployment shop are available (now 1)" in said
    assert "kubectl patch" not in said
    enough = a_deployment("shop", "shop", 3)
    said = report("team-a/shop", formers.of(team, *live, enough)["team-a/shop"], [])
    assert "kubectl patch virtualservice web-shop -n team-a" in said


def test_a_route_without_hosts_does_not_belong_to_the_app(formers: Formers) -> None:
    """Istio refuses it, the API server does not."""
    route = a_route("by-hand", "elsewhere")
    del route["spec"]["hosts"]
    assert formers.of(a_team(web()), route) == {}


def test_a_route_without_a_destination_is_reported_and_not_waited_for(formers: Formers) -> None:
    route = a_route("to-https", "unused")
    route["spec"]["http"] = [{"redirect": {"scheme": "https"}}]
    live = [a_deployment("web-shop", "web"), route, a_deployment("shop", "shop")]
    former = formers.of(a_team(web()), *live)["team-a/shop"]
    assert "VirtualService" in former.held
    said = report("team-a/shop", former, [])
    assert "next: VirtualService to-https has no route to a Service" in said
    assert "`pulumi up`" not in said, "it would make no VirtualService"


@pytest.mark.parametrize(("to", "held"), [("/new", False), ("/elsewhere", True)])
def test_a_former_redirect_is_waited_for_unless_the_file_has_it_too(
    formers: Formers, to: str, held: bool
) -> None:
    shop = web()
    moved = {"prefix": "/old", "redirect": {"uri": "/new"}}
    shop["ingress"] = {**shop["ingress"], "paths": ({"prefix": "/"}, moved)}
    route = a_route("web-shop", "shop")
    redirect = {"match": [{"uri": {"prefix": "/old/"}}], "redirect": {"uri": to}}
    route["spec"]["http"].insert(0, redirect)
    former = formers.of(a_team(shop), route)["team-a/shop"]
    assert ("VirtualService" in former.held) == held


def test_other_hosts_of_a_former_route_are_reported(formers: Formers) -> None:
    route = a_route("web-shop", "web-shop")
    route["spec"]["hosts"].append("old.example.com")
    said = report("team-a/shop", formers.of(a_team(web()), route)["team-a/shop"], [])
    assert "VirtualService web-shop also serves old.example.com" in said


def sharing() -> Team:
    """The app `shop` has everything on the host but `/api`, which `cart` has."""
    cart = web("cart")
    cart["ingress"] = {"enabled": True, "host": HOST, "paths": ({"prefix": "/api"},)}
    return a_team(web(), cart)


def a_shared_route(shop: str, cart: str) -> Object:
    route = a_route("site", shop)
    (whole,) = a_route("site", cart)["spec"]["http"]
    route["spec"]["http"].insert(0, {**whole, "match": [{"uri": {"prefix": "/api/"}}]})
    return route


@pytest.mark.parametrize(
    ("shop", "cart", "held"),
    [
        ("old-shop", "old-cart", {"shop", "cart"}),
        ("shop", "old-cart", {"cart"}),
        ("old-shop", "cart", {"shop"}),
        ("cart", "shop", {"shop", "cart"}),
        ("shop", "cart", set[str]()),
    ],
)
def test_of_a_former_route_for_several_apps_each_waits_for_its_own_paths(
    formers: Formers, shop: str, cart: str, held: set[str]
) -> None:
    found = formers.of(sharing(), a_shared_route(shop, cart))
    assert {name for name in ("shop", "cart") if found[f"team-a/{name}"].held} == held


def test_the_routes_of_apps_that_share_the_host_are_not_former_ones(formers: Formers) -> None:
    own = [a_route("shop", "shop"), a_route("cart", "cart")]
    assert formers.of(sharing(), *own) == {}


def test_an_app_moves_only_its_own_paths_and_the_route_goes_last(formers: Formers) -> None:
    deployments = [a_deployment("shop", "shop"), a_deployment("cart", "cart")]
    found = formers.of(sharing(), a_shared_route("old-shop", "old-cart"), *deployments)
    said = report("team-a/cart", found["team-a/cart"], [])
    assert "/spec/http/0/route/0/destination" in said
    assert "/spec/http/1" not in said
    found = formers.of(sharing(), a_shared_route("old-shop", "cart"), *deployments)
    said = report("team-a/cart", found["team-a/cart"], [])
    assert "next: `pulumi up`; it creates VirtualService cart" in said
    own = a_route("cart", "cart")
    found = formers.of(sharing(), a_shared_route("old-shop", "cart"), own, *deployments)
    said = report("team-a/cart", found["team-a/cart"], [])
    assert "next: move shop, which VirtualService site serves too" in said
    assert "kubectl delete virtualservice/site" not in said
    moved = [own, a_route("shop", "shop"), *deployments]
    found = formers.of(sharing(), a_shared_route("shop", "cart"), *moved)
    said = report("team-a/cart", found["team-a/cart"], [])
    assert "kubectl delete -n team-a virtualservice/site" in said


def test_a_path_inside_an_app_s_waits_with_it(formers: Formers) -> None:
    """The app's own VirtualService routes that path too."""
    cart, item = web("cart"), web("item")
    cart["ingress"] = {"enabled": True, "host": HOST, "paths": ({"prefix": "/api"},)}
    item["ingress"] = {"enabled": True, "host": HOST, "paths": ({"prefix": "/api/item"},)}
    team = a_team(cart, item)
    route = a_route("site", "cart")
    (whole,) = a_route("site", "old-item")["spec"]["http"]
    route["spec"]["http"].insert(0, {**whole, "match": [{"uri": {"regex": "/api/item(/.*)?"}}]})
    live = [route, a_deployment("cart", "cart"), a_deployment("item", "item")]
    found = formers.of(team, *live)
    assert "VirtualService" in found["team-a/cart"].held
    said = report("team-a/cart", found["team-a/cart"], [])
    assert "next: move item, which VirtualService site serves too" in said


def test_an_object_that_another_app_would_take_over_is_refused(formers: Formers) -> None:
    """Release `web` of app `shop` makes what the app `web-shop` is to be named."""
    other = web("web-shop")
    other["ingress"] = {"enabled": False}
    found = formers.of(a_team(web(), other), a_deployment("web-shop", "web"))
    (line,) = taken_names(found.values())
    assert line.startswith("team-a: Deployment web-shop belongs to a release of the app shop")
    assert "leave web-shop out of the file until shop has moved" in line


def test_a_quota_that_cannot_hold_both_is_reported_with_what_is_needed(formers: Formers) -> None:
    team = a_team(web())
    quota = an_object("ResourceQuota", "team-a-quota", "x")
    quota["status"] = {"hard": {"pods": "20", "cpu": "4"}, "used": {"pods": "18", "cpu": "1"}}
    live = [a_deployment("web-shop", "web", 3), quota]
    found = formers.of(team, *live)
    (line,) = lacking_room(formers.cluster, found.values(), formers.settings)
    assert line == (
        "team-a: to run beside what is there, shop need 3 more pods, but only 2 is free; raise "
        "quota.pods to 21 during the move, or leave some apps out of the file and move them "
        "one by one"
    )
    found = formers.of(team, *live, a_deployment("shop", "shop", 1))
    assert not list(lacking_room(formers.cluster, found.values(), formers.settings))


LISTS = [
    "GET /apis/apps/v1/namespaces/team-a/deployments",
    "GET /apis/batch/v1/namespaces/team-a/cronjobs",
]


def test_kinds_are_listed_at_the_same_time(server: FakeServer, formers: Formers) -> None:
    """Each answer waits for the other question."""
    both = threading.Barrier(len(LISTS), timeout=30)

    def answer(_: Any) -> tuple[int, Any]:
        both.wait()
        return 200, {"items": []}

    formers.of(a_team())
    server.answers |= dict.fromkeys(LISTS, answer)
    assert find_formers(formers.cluster, [a_team(web())], formers.settings) == {}


def test_of_several_refusals_the_first_kinds_is_reported(
    server: FakeServer, formers: Formers
) -> None:
    formers.of(a_team())
    for path in LISTS:
        server.answers[path] = (403, {"message": f"not {path.rpartition('/')[2]}"})
    with pytest.raises(RefusedError, match="answered 403: not cronjobs"):
        find_formers(formers.cluster, [a_team(web())], formers.settings)


def test_each_team_has_what_is_in_its_own_namespace(server: FakeServer, formers: Formers) -> None:
    formers.of(a_team())
    names = [f"team-{letter}" for letter in "abcdefghijkl"]
    there = names[::2]
    answers = dict(server.answers)
    for name in there:
        server.answers |= {path.replace("team-a", name): each for path, each in answers.items()}
        release = a_deployment(f"{name}-shop", name)
        server.answers[LISTS[0].replace("team-a", name)] = (200, {"items": [release]})
    teams = [a_team(web(), team=name) for name in names]
    found = find_formers(formers.cluster, teams, formers.settings)
    assert [*found] == [f"{name}/shop" for name in there]
    assert [former.objects[0]["metadata"]["name"] for former in found.values()] == [
        f"{name}-shop" for name in there
    ]
