"""An ingress in charts' spellings, as `./sre import` writes it."""

from pathlib import Path
from typing import Any

import pytest

from tests.flux_tree import VALUES, Trees, manifest, release
from tests.program import read_yaml

pytestmark = pytest.mark.commands


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


A, B = "a.apps.sre.example.com", "b.apps.sre.example.com"
SPELLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "Helm's usual hosts": (
        f"hosts: [{{host: {A}, paths: [{{path: /, pathType: Prefix}}]}}]",
        {"hosts": [A]},
    ),
    "several hosts with the same paths": (
        f"hosts: [{{host: {A}, paths: [/api/]}}, {{host: {B}, paths: [/api/]}}]",
        {"hosts": [A, B], "paths": [{"prefix": "/api"}]},
    ),
    "a host name and a path": (
        f"hostname: {A}\npath: /shop\n",
        {"host": A, "paths": [{"prefix": "/shop"}]},
    ),
    "a path that is everything": (f"host: {A}\npath: /\n", {"host": A}),
    "Istio's words": (
        f"hosts: [{A}]\ngateways: [istio-system/sre-gateway]\ntimeout: 30s\n"
        "corsPolicy: {allowOrigins: [{exact: 'https://www.example.com'}]}\n",
        {
            "hosts": [A],
            "timeout": "30s",
            "gateway": "istio-system/sre-gateway",
            "cors": {"allowOrigins": [{"exact": "https://www.example.com"}]},
        },
    ),
}


@pytest.mark.parametrize(("ingress", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_an_ingress_is_written_as_a_team_s_file_has_it(
    ingress: str, expected: dict[str, Any], trees: Trees
) -> None:
    block = "".join(f"  {line}\n" for line in ("enabled: true", *ingress.splitlines()))
    run = trees.run(release(f"{VALUES}ingress:\n{block}"))
    assert (run.code, run.lost) == (0, [])
    (text,) = run.files.values()
    assert read_yaml(text)["apps"][0]["ingress"] == {"enabled": True, **expected}


LOST = {
    "hosts with different paths": (
        f"hosts: [{{host: {A}, paths: [/]}}, {{host: {B}, paths: [/b]}}]",
        f"spec.values.ingress.hosts[0]: is a mapping; write {A} alone, and its paths under "
        "`ingress.paths`",
    ),
    "a path alone": (
        f"hosts: [{A}]\npaths: [{{path: /a, pathType: Exact}}]\n",
        "spec.values.ingress.paths[0].path: is not supported here; use `prefix`",
    ),
    "annotations": (
        f"host: {A}\nannotations: {{nginx.ingress.kubernetes.io/rewrite-target: /}}\n",
        "spec.values.ingress.annotations: is not supported here; use `gateway`",
    ),
}


@pytest.mark.parametrize(("ingress", "said"), LOST.values(), ids=LOST)
def test_what_has_no_counterpart_is_lost(ingress: str, said: str, trees: Trees) -> None:
    block = "".join(f"  {line}\n" for line in ("enabled: true", *ingress.splitlines()))
    run = trees.run(release(f"{VALUES}ingress:\n{block}"))
    assert any(said in line for line in run.lost), run.lost


def virtual_service(http: str, name: str = "my-api-my-api") -> str:
    spec = f"""\
        spec:
          hosts: [{A}]
          gateways: [istio-system/sre-gateway]
          http: {http}
    """
    return manifest("VirtualService", spec, name=name, api="networking.istio.io/v1")


TO = "route: [{destination: {host: my-api, port: {number: 8080}}}]"
ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "everything": (
        f"[{{{TO}, timeout: 5s, retries: {{attempts: 2}}}}]",
        {"timeout": "5s", "retries": {"attempts": 2}},
    ),
    "paths, the longest first": (
        "[{match: [{uri: {exact: /a/b}}, {uri: {prefix: /a/b/}}], rewrite: {uri: /x/}, "
        f"{TO}}}, {{match: [{{uri: {{prefix: /a/}}}}], {TO}}}, "
        "{match: [{uri: {prefix: /old/}}], redirect: {uri: /new, redirectCode: 302}}]",
        {
            "paths": [
                {"prefix": "/a/b", "rewrite": {"uri": "/x"}},
                {"prefix": "/a"},
                {"prefix": "/old", "redirect": {"uri": "/new", "redirectCode": 302}},
            ]
        },
    ),
    "the release's own Service": (
        "[{route: [{destination: {host: my-api-my-api.team-alpha.svc.cluster.local}, weight: 100}],"
        " corsPolicy: {allowOrigins: [{exact: 'https://www.example.com'}]}}]",
        {"cors": {"allowOrigins": [{"exact": "https://www.example.com"}]}},
    ),
}


@pytest.mark.parametrize(("http", "expected"), ROUTES.values(), ids=ROUTES)
def test_a_virtual_service_becomes_the_ingress_of_its_app(
    http: str, expected: dict[str, Any], trees: Trees
) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": virtual_service(http)})
    assert (run.code, run.lost) == (0, [])
    (text,) = run.files.values()
    assert read_yaml(text)["apps"][0]["ingress"] == {
        "enabled": True,
        "hosts": [A],
        "gateway": "istio-system/sre-gateway",
        **expected,
    }
    assert any("'my-api' replaces it" in note for note in run.notes)


def test_a_prefix_that_matches_more_than_segments_is_noted(trees: Trees) -> None:
    route = virtual_service(f"[{{match: [{{uri: {{prefix: /a}}}}], {TO}}}]")
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": route})
    assert run.code == 0
    (note,) = [note for note in run.notes if "whole segments" in note]
    assert "spec.http[0].match[0].uri.prefix: matches /ax too today" in note


def test_a_virtual_service_for_the_service_s_own_port_is_read(trees: Trees) -> None:
    route = virtual_service("[{route: [{destination: {host: my-api, port: {number: 80}}}]}]")
    run = trees.run({"apps/a.yaml": release(f"{VALUES}  servicePort: 80\n"), "apps/b.yaml": route})
    assert (run.code, run.lost) == (0, [])


UNSAID = {
    "a header": f"[{{match: [{{headers: {{a: {{exact: b}}}}}}], {TO}}}]",
    "a single path": f"[{{match: [{{uri: {{exact: /a}}}}], {TO}}}]",
    "another Service": "[{route: [{destination: {host: other}}]}]",
    "another port": "[{route: [{destination: {host: my-api, port: {number: 9000}}}]}]",
    "two Services": "[{route: [{destination: {host: my-api}}, {destination: {host: b}}]}]",
    "a fault": f"[{{{TO}, fault: {{abort: {{httpStatus: 500}}}}}}]",
    "an order in which the shorter path wins": (
        f"[{{{TO}}}, {{match: [{{uri: {{prefix: /a/}}}}], rewrite: {{uri: /}}, {TO}}}]"
    ),
    "no routes": "here",
    "no route": "[here]",
    "no match": f"[{{match: here, {TO}}}]",
    "no path": f"[{{match: [{{uri: {{prefix: 1}}}}], {TO}}}]",
    "no destination": "[{route: [{destination: here}]}]",
    "different times": (
        f"[{{match: [{{uri: {{prefix: /a/}}}}], timeout: 1s, {TO}}}, {{timeout: 2s, {TO}}}]"
    ),
}


@pytest.mark.parametrize("http", UNSAID.values(), ids=UNSAID)
def test_a_virtual_service_that_says_more_than_an_ingress_can_is_lost(
    http: str, trees: Trees
) -> None:
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": virtual_service(http)}, "--partial")
    (lost,) = run.lost
    assert "VirtualService 'my-api-my-api' is not created by the program; write its hosts" in lost
    (text,) = run.files.values()
    assert "ingress" not in read_yaml(text)["apps"][0]


def test_a_virtual_service_for_several_apps_gives_each_its_paths(trees: Trees) -> None:
    cart = release(VALUES).replace("my-api", "cart")
    http = (
        "[{match: [{uri: {prefix: /cart/}}], route: [{destination: {host: cart-cart}}]}, "
        f"{{{TO}, timeout: 9s}}]"
    )
    run = trees.run(
        {
            "apps/a.yaml": release(),
            "apps/b.yaml": cart,
            "apps/c.yaml": virtual_service(http, "site"),
        }
    )
    assert (run.code, run.lost) == (0, [])
    (text,) = run.files.values()
    ingress = {app["app"]["name"]: app["ingress"] for app in read_yaml(text)["apps"]}
    both = {"enabled": True, "hosts": [A], "gateway": "istio-system/sre-gateway"}
    assert ingress == {
        "my-api": {**both, "timeout": "9s"},
        "cart": {**both, "paths": [{"prefix": "/cart"}]},
    }
