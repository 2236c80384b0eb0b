"""An ingress in charts' spellings, as `./sre import` writes it."""

from pathlib import Path
from typing import Any

import pytest

from tests.flux_tree import VALUES, Trees, release
from tests.program import read_yaml


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
