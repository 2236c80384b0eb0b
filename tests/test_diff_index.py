"""`.sre-render`: what a render says of its objects beside their documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from dryrun.recording import Registration
from tools.rendering.index import index as render_index
from tools.review.comparison import compare
from tools.review.rendered_objects import OPTIONS, Side, read_side
from tools.review.review_findings import Rules

pytestmark = pytest.mark.commands


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered")
    assert main(["render", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def index(rendered: Path) -> dict[str, Any]:
    return json.loads((rendered / ".sre-render").read_text())


def test_what_has_no_document_is_listed_too(tmp_path: Path) -> None:
    runs_code = Registration("pulumi-python:dynamic:Resource", "x", {"key": "[secret]"}, None)
    (tmp_path / ".sre-render").write_text(render_index({}, [runs_code]).text())
    side = read_side(tmp_path)
    assert [str(each.shown) for each in side.objects.values()] == [f"{runs_code.type} x"]
    findings = compare(Side(), side).findings
    assert {each.rule for each in findings} == {Rules.UNKNOWN}


def test_every_object_has_an_entry(rendered: Path, index: dict[str, Any]) -> None:
    files = {file.relative_to(rendered).as_posix() for file in rendered.rglob("*.yaml")}
    assert index["objects"].keys() == files


def test_an_entry_has_the_objects_owner_and_what_protects_it(index: dict[str, Any]) -> None:
    assert index["objects"]["kubernetes/_cluster/Namespace-team-alpha.yaml"] == {
        "type": "kubernetes:core/v1:Namespace",
        "logicalName": "team-alpha",
        "aliases": [],
        "team": "team-alpha",
        "app": "",
        "options": {"protect": True},
    }
    deployment = index["objects"]["kubernetes/team-alpha/Deployment-my-api.yaml"]
    assert (deployment["team"], deployment["app"]) == ("team-alpha", "my-api")
    assert deployment["options"] == {"protect": False}
    mount = index["objects"]["openbao/_platform/Mount-sre.yaml"]
    assert (mount["team"], mount["app"]) == ("", "")


def test_an_alias_is_another_name_by_which_pulumi_knows_the_object(index: dict[str, Any]) -> None:
    secret = index["objects"]["kubernetes/team-alpha/ExternalSecret-harbor-pull.yaml"]
    assert secret["aliases"] == ["kubernetes:external-secrets.io/v1beta1:ExternalSecret"]


def test_the_providers_are_there_without_credentials(index: dict[str, Any]) -> None:
    assert index["providers"].keys() == {"harbor", "kubernetes", "openbao"}
    assert index["providers"]["harbor"]["insecure"] == "false"
    assert "password" not in index["providers"]["harbor"]
    assert "token" not in index["providers"]["openbao"]


def test_the_same_input_gives_the_same_index(rendered: Path, tmp_path: Path) -> None:
    assert main(["render", "--out", str(tmp_path)]) == 0
    again = (tmp_path / ".sre-render").read_bytes()
    assert again == (rendered / ".sre-render").read_bytes()


def test_without_an_index_objects_are_read_by_their_labels_and_paths(
    rendered: Path, tmp_path: Path
) -> None:
    assert main(["render", "--out", str(tmp_path)]) == 0
    (tmp_path / ".sre-render").write_text("")
    side, known = read_side(tmp_path), read_side(rendered)
    assert not side.indexed
    for key, each in side.objects.items():
        assert (each.team, each.app) == (known.objects[key].team, known.objects[key].app), key
        assert OPTIONS not in each.fields


def test_an_index_of_another_revision_may_have_more_and_lack_others(tmp_path: Path) -> None:
    later = {"objects": {}, "providers": {"harbor": {}}, "servers": {}}
    (tmp_path / ".sre-render").write_text(json.dumps(later))
    assert read_side(tmp_path).objects.keys() == {"providers/harbor"}
