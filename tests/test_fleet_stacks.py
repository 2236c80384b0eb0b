"""`./sre fleet stacks`: the stacks for what runs them elsewhere."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import fleet_options, fleet_stacks
from cli.__main__ import main
from tests.definitions import validator_of
from tests.program import ROOT
from tools.fleet.elsewhere import MOST_PARTS, github_matrix

STACK = "config:\n  sre-platform:cluster: {cluster}\n  sre-platform:teams: [{team}]\n"
PLATFORM = "config:\n  sre-platform:cluster: {cluster}\n  sre-platform:platform: true\n"
CLUSTER = "kubernetes: {context: production}\n"
DEFINITION = ROOT / "tests" / "stacks.pulumi.com.yaml"
PKO = "--format pko --repository https://git.example.com/platform.git"

Listed = Callable[[str], str]


@pytest.fixture
def listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Listed:
    """`listed(options)`: what the command prints about two clusters."""
    (tmp_path / "clusters").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: sre-platform\nruntime: python\n")
    for cluster in ("eu", "us"):
        (tmp_path / f"clusters/{cluster}.yaml").write_text(CLUSTER)
        (tmp_path / f"Pulumi.platform-{cluster}.yaml").write_text(PLATFORM.format(cluster=cluster))
        for team in ("a", "b"):
            text = STACK.format(cluster=cluster, team=f"team-{team}-{cluster}")
            (tmp_path / f"Pulumi.team-{team}-{cluster}.yaml").write_text(text)
    for module in (fleet_options, fleet_stacks):
        monkeypatch.setattr(module, "ROOT", tmp_path)

    def run(options: str) -> str:
        code = main(["fleet", "stacks", *options.split()])
        shown = capsys.readouterr()
        return shown.out if code == 0 else f"{code}: {shown.err}"

    return run


def objects(text: str) -> dict[str, dict[str, Any]]:
    """The spec of each Stack, by its name."""
    return {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(text)}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("--cluster eu", "platform-eu team-a-eu team-b-eu"),
        ("--only platform", "platform-eu platform-us"),
        ("--only teams --cluster us", "team-a-us team-b-us"),
        ("team-a-*", "team-a-eu team-a-us"),
        ("team-a-* --cluster us", "team-a-us"),
    ],
)
def test_options_that_select_are_combined(listed: Listed, options: str, names: str) -> None:
    assert listed(options).split() == names.split()


def test_an_unknown_cluster_is_an_error(listed: Listed) -> None:
    found = listed("--cluster asia")
    assert found == ("1: ./sre fleet: error: no stack has the cluster 'asia'; use one of: eu, us\n")


def test_no_name_is_not_every_stack_without_a_cluster(listed: Listed, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.other.yaml").write_text("config:\n  sre-platform:teams: []\n")
    assert "no stack has the cluster ''" in listed("--cluster=")
    for file in tmp_path.glob("clusters/*"):
        file.unlink()
    for file in tmp_path.glob("Pulumi.*-*.yaml"):
        file.unlink()
    assert listed("--cluster eu").endswith("no stack names a cluster; leave out --cluster\n")


def test_only_stacks_that_a_change_affects(listed: Listed, tmp_path: Path) -> None:
    author = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    for command in (["init"], ["add", "--all"], [*author, "commit", "--message", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "clusters/us.yaml").write_text("kubernetes: {context: other}\n")
    (tmp_path / "Pulumi.team-a-eu.yaml").unlink()
    assert listed("--affected HEAD --only teams").split() == ["team-a-us", "team-b-us"]


def test_the_matrix_has_parts_of_a_size(listed: Listed) -> None:
    assert json.loads(listed("--format github-matrix --part-size 4")) == [
        {"part": "1 of 2", "stacks": "platform-eu platform-us team-a-eu team-a-us"},
        {"part": "2 of 2", "stacks": "team-b-eu team-b-us"},
    ]


def test_there_are_no_more_parts_than_github_starts() -> None:
    stacks = [f"team-{number}" for number in range(10 * MOST_PARTS + 1)]
    parts = json.loads(github_matrix(stacks, 2))
    assert len(parts) <= MOST_PARTS
    assert " ".join(part["stacks"] for part in parts).split() == stacks


def test_no_stacks_are_no_parts() -> None:
    assert github_matrix([], 25) == "[]"


def test_the_operators_definition_holds_its_objects(listed: Listed) -> None:
    validator = validator_of(DEFINITION, "v1")
    found = [*yaml.safe_load_all(listed(f"{PKO} --backend s3://states"))]
    assert len(found) == 6
    for one in found:
        validator.validate(one)
        assert (one["apiVersion"], one["kind"]) == ("pulumi.com/v1", "Stack")


def test_teams_wait_for_the_platform_of_their_cluster_whatever_is_selected(
    listed: Listed,
) -> None:
    every, one = objects(listed(PKO)), objects(listed(f"{PKO} team-a-us"))
    assert one == {"team-a-us": every["team-a-us"]}
    assert one["team-a-us"]["prerequisites"] == [{"name": "platform-us"}]
    assert "prerequisites" not in every["platform-us"]


def test_credentials_come_from_one_secret_and_nothing_is_destroyed_with_an_object(
    listed: Listed,
) -> None:
    for spec in objects(listed(f"{PKO} --secret login --service-account deploy")).values():
        assert spec["destroyOnFinalize"] is False
        assert spec["serviceAccountName"] == "deploy"
        references = dict(spec["envRefs"])
        assert references.pop("KUBECONFIG")["literal"] == {"value": "/credentials/kubeconfig"}
        assert references == {
            name: {"type": "Secret", "secret": {"name": "login", "key": name}}
            for name in (
                "HARBOR_PASSWORD", "HARBOR_USERNAME", "PULUMI_CONFIG_PASSPHRASE", "VAULT_TOKEN"
            )
        }  # fmt: skip
        pod = spec["workspaceTemplate"]["spec"]["podTemplate"]["spec"]
        assert pod["volumes"][0]["secret"]["secretName"] == "login"


def test_the_repository_is_needed(listed: Listed) -> None:
    assert "--repository is missing" in listed("--format pko")


def test_names_of_objects_differ(listed: Listed, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.team-a_eu.yaml").write_text(STACK.format(cluster="eu", team="x"))
    assert "team-a-eu and team-a_eu" in listed(PKO)


def test_no_object_is_without_a_name_or_waits_for_the_sandbox(
    listed: Listed, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  sre-platform:platform: true\n")
    (tmp_path / "Pulumi.team-c.yaml").write_text("config:\n  sre-platform:teams: [team-c]\n")
    assert "prerequisites" not in objects(listed(PKO))["team-c"]
    (tmp_path / "Pulumi._.yaml").write_text(PLATFORM.format(cluster="eu"))
    assert "'_' leaves no name for its object; rename it" in listed(PKO)
