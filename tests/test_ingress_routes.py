"""Routes of a VirtualService: hosts, paths, rewrites, redirects, timeouts, retries, CORS."""

from typing import Any

import pytest

from tests.conftest import Program
from tests.program import NAMESPACE, SERVICE, VIRTUAL_SERVICE, Made, merged, web_app
from tests.written import ISTIO

IT = "team-alpha/my-api"
HOST = "shop.apps.sre.example.com"


def ingress(keys: str, name: str = "my-api", host: str = HOST) -> str:
    return web_app(f"ingress: {{enabled: true, host: {host}, {keys}}}", name)


def routes(made: Made, name: str = IT) -> Any:
    return made.one(VIRTUAL_SERVICE, name).spec["http"]


def to(app: str) -> list[Any]:
    host = f"{app}.team-alpha.svc.cluster.local"
    return [{"destination": {"host": host, "port": {"number": 8080}}}]


def serves(route: Any, path: str) -> bool:
    """Whether a route applies to a path, as Istio compares them."""
    for match in route.get("match") or [{"uri": {"prefix": "/"}}]:
        if match["uri"].get("exact") == path or path.startswith(match["uri"].get("prefix", "none")):
            return True
    return False


def reached(http: Any, path: str) -> str | None:
    """The app that the first matching route leads to."""
    first = next((route for route in http if serves(route, path)), None)
    if first is None:
        return None
    host: str = first["route"][0]["destination"]["host"]
    return host.partition(".")[0]


def test_several_hosts_share_the_routes(program: Program) -> None:
    hosts = ["shop.example.com", "www.shop.example.com"]
    made = program(web_app(f"ingress: {{enabled: true, hosts: [{', '.join(hosts)}]}}"))
    assert made.one(VIRTUAL_SERVICE, IT).spec["hosts"] == hosts
    assert routes(made) == [{"route": to("my-api")}]
    annotations = made.one(NAMESPACE, "team-alpha").metadata["annotations"]
    assert annotations["sre.io/hosts"] == ",".join(hosts)


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("/api", True),
        ("/api/", True),
        ("/api/users", True),
        ("/apix", False),
        ("/", False),
        ("/v1/api", False),
    ],
)
def test_a_prefix_stands_for_whole_segments(program: Program, path: str, served: bool) -> None:
    http = routes(program(ingress("paths: [{prefix: /api}]")))
    assert (reached(http, path) == "my-api") == served


def test_an_app_s_longest_prefix_comes_first_whatever_the_file_s_order(program: Program) -> None:
    keys = "paths: [{prefix: /}, {prefix: /a, rewrite: {uri: /x}}, {prefix: /a/b/c}, {prefix: /b}]"
    http = routes(program(ingress(keys)))
    first = [route.get("match", [{"uri": "all"}])[0]["uri"] for route in http]
    assert first == [
        {"exact": "/a/b/c"},
        {"exact": "/a"},
        {"prefix": "/a/"},
        {"exact": "/b"},
        "all",
    ]


def test_the_longest_prefix_wins_in_whichever_order_istio_merges_two_apps(
    program: Program,
) -> None:
    made = program(
        merged(
            ingress("paths: [{prefix: /api}, {prefix: /files}]", "shop"),
            ingress("paths: [{prefix: /api/v2}]", "shop-v2"),
            ingress("timeout: 5s", "site"),
        )
    )
    of_shop, of_v2 = (routes(made, f"team-alpha/{name}") for name in ("shop", "shop-v2"))
    of_site = routes(made, "team-alpha/site")
    expected = {
        "/api": "shop",
        "/api/v1": "shop",
        "/api/v2": "shop-v2",
        "/api/v2/x": "shop-v2",
        "/api/v22": "shop",
        "/files/v2": "shop",
        "/": "site",
        "/apix": "site",
    }
    # Istio puts the routes for everything last.
    for merged_routes in ([*of_shop, *of_v2, *of_site], [*of_v2, *of_shop, *of_site]):
        assert {path: reached(merged_routes, path) for path in expected} == expected
    assert [route for route in of_site if "match" in route] == [], "there is nothing to say twice"


def test_another_app_s_route_keeps_its_own_settings(program: Program) -> None:
    made = program(
        merged(
            ingress("paths: [{prefix: /api}], timeout: 5s", "shop"),
            ingress("paths: [{prefix: /api/v2, rewrite: {uri: /}}], timeout: 9s", "shop-v2"),
        )
    )
    of_v2 = routes(made, "team-alpha/shop-v2")
    assert routes(made, "team-alpha/shop")[:2] == of_v2
    assert {route["timeout"] for route in of_v2} == {"9s"}


def test_apps_at_different_gateways_do_not_share_routes(program: Program) -> None:
    made = program(
        merged(
            ingress("paths: [{prefix: /api}], gateway: edge/public", "shop"),
            ingress("paths: [{prefix: /api/v2}], gateway: edge/partners", "shop-v2"),
        ),
        istio={**ISTIO, "gateways": ["edge/public", "edge/partners"]},
    )
    assert {reached([route], "/api/v2") for route in routes(made, "team-alpha/shop")} == {"shop"}


@pytest.mark.parametrize(
    ("uri", "to_prefix", "to_below"),
    [("/", "/", "/"), ("/v2", "/v2", "/v2/"), ("/v2/shop", "/v2/shop", "/v2/shop/")],
)
def test_a_rewrite_replaces_whole_segments(
    program: Program, uri: str, to_prefix: str, to_below: str
) -> None:
    http = routes(program(ingress(f"paths: [{{prefix: /api, rewrite: {{uri: {uri}}}}}]")))
    assert http == [
        {
            "match": [{"uri": {"exact": "/api"}}],
            "rewrite": {"uri": to_prefix},
            "route": to("my-api"),
        },
        {
            "match": [{"uri": {"prefix": "/api/"}}],
            "rewrite": {"uri": to_below},
            "route": to("my-api"),
        },
    ]


def test_a_rewrite_of_everything_and_of_the_host(program: Program) -> None:
    keys = "paths: [{prefix: /, rewrite: {uri: /v2, authority: old.example.com}}]"
    (route,) = routes(program(ingress(keys)))
    assert route["rewrite"] == {"uri": "/v2/", "authority": "old.example.com"}
    assert "match" not in route
    only_host = "paths: [{prefix: /api, rewrite: {authority: old.example.com}}]"
    (route,) = routes(program(ingress(only_host)))
    assert route["rewrite"] == {"authority": "old.example.com"}
    assert len(route["match"]) == 2


def test_a_redirect_answers_in_place_of_the_app(program: Program) -> None:
    keys = (
        "timeout: 5s, paths: [{prefix: /old, redirect: {uri: /new, authority: www.example.com, "
        "scheme: https, port: 8443, redirectCode: 308}}, {prefix: /older, redirect: {uri: /new}}]"
    )
    older, old = routes(program(ingress(keys)))
    assert old == {
        "match": [{"uri": {"exact": "/old"}}, {"uri": {"prefix": "/old/"}}],
        "redirect": {
            "uri": "/new",
            "authority": "www.example.com",
            "scheme": "https",
            "port": 8443,
            "redirectCode": 308,
        },
    }
    assert older["redirect"] == {"uri": "/new", "redirectCode": 301}


def test_timeout_retries_and_cors_apply_to_each_path(program: Program) -> None:
    keys = """
    ingress:
      enabled: true
      host: shop.apps.sre.example.com
      paths: [{prefix: /a}, {prefix: /b}]
      timeout: 1m30s
      retries: {attempts: 3, perTryTimeout: 500ms, retryOn: "connect-failure,503"}
      cors:
        allowOrigins: [{exact: "https://www.example.com"}, {prefix: "http://localhost:"}]
        allowMethods: [GET, POST]
        allowHeaders: [Content-Type]
        exposeHeaders: [X-Request-Id]
        maxAge: 24h
        allowCredentials: true
    """
    http = routes(program(web_app(keys)))
    assert len(http) == 2
    for route in http:
        assert route["timeout"] == "1m30s"
        assert route["retries"] == {
            "attempts": 3,
            "perTryTimeout": "500ms",
            "retryOn": "connect-failure,503",
        }
        assert route["corsPolicy"] == {
            "allowOrigins": [
                {"exact": "https://www.example.com"},
                {"prefix": "http://localhost:"},
            ],
            "allowMethods": ["GET", "POST"],
            "allowHeaders": ["Content-Type"],
            "exposeHeaders": ["X-Request-Id"],
            "maxAge": "24h",
            "allowCredentials": True,
        }


def test_retries_can_be_turned_off(program: Program) -> None:
    (route,) = routes(program(ingress("retries: {attempts: 0}")))
    assert route["retries"] == {"attempts": 0}


def test_the_first_host_and_path_are_the_url_and_all_of_them_the_urls(program: Program) -> None:
    hosts, paths = "[a.example.com, b.example.com]", "[{prefix: /x}, {prefix: /}]"
    keys = f"ingress: {{enabled: true, hosts: {hosts}, paths: {paths}}}"
    made = program(web_app(keys))
    about = made.outputs["teams"]["team-alpha"]["apps"]["my-api"]
    assert about["url"] == "https://a.example.com"
    assert about["urls"] == [
        "https://a.example.com",
        "https://a.example.com/x",
        "https://b.example.com",
        "https://b.example.com/x",
    ]
    only_a_path = program(ingress("paths: [{prefix: /x}]"))
    about = only_a_path.outputs["teams"]["team-alpha"]["apps"]["my-api"]
    assert about["url"] == f"https://{HOST}/x"
    assert "urls" not in about


def test_a_virtual_service_waits_for_its_service(program: Program) -> None:
    made = program(ingress("paths: [{prefix: /x}]"))
    assert str(made.one(SERVICE, IT)) in made.one(VIRTUAL_SERVICE, IT).depends_on
