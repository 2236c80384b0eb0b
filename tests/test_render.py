"""`./sre render`: the tree it writes, and that it writes nothing else.

After a change that is meant, `make golden` renews `tests/golden/`, the stack `dev` as rendered, and
`tests/golden-keys/`, the apps in `tests/keys/`.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import render as render_command
from cli import stack_options
from cli.__main__ import main
from tests.program import ROOT, cronjob, merged, read_yaml, web_app
from tests.written import keys_checkout
from tools.rendering import documents

pytestmark = pytest.mark.commands

GOLDEN = ROOT / "tests" / "golden"
GOLDEN_KEYS = ROOT / "tests" / "golden-keys"

# The label of what belongs to an app, and the pull secret that each team has.
OF_AN_APP, PULL_SECRET = "app.kubernetes.io/instance", "ExternalSecret-harbor-pull.yaml"

Tree = dict[str, str]


def _render(out: Path, *options: str) -> int:
    return main(["render", "--out", str(out), *options])


def _tree(folder: Path) -> Tree:
    """Text of each file, by its path below the folder."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped teams, rendered."""
    out = tmp_path_factory.mktemp("rendered")
    assert _render(out) == 0
    return out


@pytest.mark.parametrize("processors", [2, 1], ids=["at once", "one after the other"])
def test_several_runs_of_the_program_write_what_one_does(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    monkeypatch.setattr(documents, "_TEAMS_A_RUN", 1)
    monkeypatch.setattr(documents, "_RUNS_A_WORKER", 1)
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    assert _render(tmp_path) == 0
    assert _tree(tmp_path) == _tree(shipped)


def test_a_warning_is_reported_and_blocks_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tenants").mkdir()
    file = tmp_path / "tenants" / "team-alpha.yaml"
    file.write_text(web_app("autoscaling: {maxReplicas: 12}"))
    assert _render(tmp_path / "out", "--tenants", str(file.parent)) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{file}:")
    assert "autoscaling.maxReplicas: warning: only 11 of 12 replicas fit" in line


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    """A folder with one team of two apps."""
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "team-alpha.yaml").write_text(merged(web_app(), cronjob()))
    return folder


def test_the_shipped_teams_render_as_in_the_golden_files(shipped: Path) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        assert _render(GOLDEN) == 0
    _compare(_tree(GOLDEN), _tree(shipped))


def test_apps_with_further_keys_render_as_in_the_golden_files(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_options, "ROOT", keys_checkout(tmp_path_factory.mktemp("checkout")))
    monkeypatch.setattr(render_command, "ROOT", stack_options.ROOT)
    assert _render(tmp_path, "--tenants", str(ROOT / "tests" / "keys")) == 0
    rendered = {
        path: text
        for path, text in _tree(tmp_path / "kubernetes").items()
        if f"{OF_AN_APP}:" in text or "/ExternalSecret-" in path
        if not path.endswith(PULL_SECRET)
        # What every app has, whatever its keys.
        and not path.endswith("-dashboard.yaml")
        and ("/PrometheusRule-" not in path or path.startswith("alerts/"))
    }
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(GOLDEN_KEYS, ignore_errors=True)
        for path, text in rendered.items():
            (GOLDEN_KEYS / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN_KEYS / path).write_text(text, encoding="utf-8")
    _compare(_tree(GOLDEN_KEYS), rendered)


def _compare(golden: Tree, rendered: Tree) -> None:
    both = golden.keys() & rendered.keys()
    differing = {
        "missing": sorted(golden.keys() - rendered.keys()),
        "surplus": sorted(rendered.keys() - golden.keys()),
        "changed": sorted(path for path in both if rendered[path] != golden[path]),
    }
    assert not any(differing.values()), f"{differing}; `make golden` renews them"


def test_a_folder_that_cannot_be_written_to_is_reported_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["render", "--out", "/proc/rendered"]) == 1
    assert "/proc/rendered:1:1: (file): cannot be written to: " in capsys.readouterr().err


def test_rendering_again_gives_the_same_bytes(shipped: Path, tmp_path: Path) -> None:
    assert _render(tmp_path / "again") == 0
    assert _tree(tmp_path / "again") == _tree(shipped)


def test_objects_are_filed_by_namespace_or_team_kind_and_name(shipped: Path) -> None:
    for path in (
        "kubernetes/_cluster/Namespace-team-alpha.yaml",
        "kubernetes/team-alpha/Deployment-my-api.yaml",
        "harbor/team-beta/RobotAccount-push.yaml",
        "openbao/team-beta/SecretV2-harbor-pull.yaml",
        "openbao/_platform/Mount-sre.yaml",
    ):
        assert (shipped / path).is_file(), path


def test_a_file_of_kubernetes_is_one_object_that_its_path_names(shipped: Path) -> None:
    files = list((shipped / "kubernetes").rglob("*.yaml"))
    assert files
    for file in files:
        (document,) = yaml.load_all(file.read_text(), yaml.CSafeLoader)
        metadata = document["metadata"]
        assert file.stem == f"{document['kind']}-{metadata['name']}"
        assert file.parent.name == metadata.get("namespace", "_cluster")


def test_keys_are_in_a_stable_order(shipped: Path) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            assert list(value) == sorted(value)
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                check(each)

    files = list(shipped.rglob("*.yaml"))
    assert files
    for file in files:
        check(read_yaml(file.read_text()))


def test_a_secret_shows_as_secret(shipped: Path) -> None:
    files = list((shipped / "openbao").rglob("SecretV2-*.yaml"))
    assert files
    for file in files:
        assert read_yaml(file.read_text())["properties"]["dataJson"] == "[secret]"


def test_a_password_of_the_environment_is_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HARBOR_PASSWORD", "VAULT_TOKEN", "HARBOR_USERNAME"):
        monkeypatch.setenv(variable, "hunter2")
    assert _render(tmp_path / "out") == 0
    assert not [path for path, text in _tree(tmp_path / "out").items() if "hunter2" in text]


def test_whole_numbers_are_whole(shipped: Path) -> None:
    deployment = read_yaml(
        (shipped / "kubernetes/team-beta/Deployment-order-processor.yaml").read_text()
    )
    assert type(deployment["spec"]["replicas"]) is int
    for file in shipped.rglob("*.yaml"):
        assert not _floats(read_yaml(file.read_text())), file


def _floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for each in value for number in _floats(each)]
    return [value] if isinstance(value, float) else []


def test_rendering_says_how_many_objects_it_wrote(
    tenants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _render(out, "--tenants", str(tenants)) == 0
    written = len(list(out.rglob("*.yaml")))
    assert capsys.readouterr().out == f"{written} objects written to {out}.\n"


def test_an_object_that_is_gone_leaves_no_file_behind(tenants: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    gone = out / "kubernetes/team-alpha/CronJob-report.yaml"
    _render(out, "--tenants", str(tenants))
    assert gone.exists()
    (tenants / "team-alpha.yaml").write_text(web_app())
    assert _render(out, "--tenants", str(tenants)) == 0
    assert not gone.exists()
    assert (out / "kubernetes/team-alpha/Deployment-my-api.yaml").exists()


def test_objects_of_two_kinds_may_share_a_name(tenants: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    file = web_app("app: {env: [{name: X, secretRef: my-api}]}")
    (tenants / "team-alpha.yaml").write_text(file)
    assert _render(out, "--tenants", str(tenants)) == 0
    assert (out / "kubernetes/team-alpha/ExternalSecret-my-api.yaml").exists()
    assert (out / "kubernetes/team-alpha/Service-my-api.yaml").exists()


@pytest.mark.parametrize("kind", ["a folder with other files", "a file"])
def test_what_render_did_not_write_is_refused_and_left_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = tmp_path / "mine"
    mine = out
    if kind != "a file":
        mine = out / "kubernetes" / "notes.txt"
        mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert _render(out) == 1
    assert capsys.readouterr().err == (
        f"{out}:1:1: (file): contains files that render did not write; name a new or an "
        f"empty folder\n"
    )
    assert mine.read_text() == "mine"
    assert len(list(tmp_path.rglob("*"))) == (1 if kind == "a file" else 3)


def test_bad_input_writes_nothing(
    tenants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tenants / "team-beta.yaml").write_text("team: team-beta\nquota: {pods: many}\n")
    assert _render(tmp_path / "out", "--tenants", str(tenants)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tenants}/team-beta.yaml:2:15: quota.pods: ")
    assert not (tmp_path / "out").exists()


def test_bad_input_leaves_an_earlier_render_unchanged(tenants: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _render(out, "--tenants", str(tenants))
    before = _tree(out)
    (tenants / "team-alpha.yaml").write_text("team: team-alpha\nquote: {}\n")
    assert _render(out, "--tenants", str(tenants)) == 1
    assert _tree(out) == before


def test_a_stack_renders_its_own_teams_only(tmp_path: Path) -> None:
    assert _render(tmp_path, "--stack", "team-beta") == 0
    assert {folder.name for folder in (tmp_path / "kubernetes").iterdir()} == {
        "_cluster",
        "team-beta",
    }
