"""`./sre new cluster NAME --from STACK ...`: one file says what many did, and nothing changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.__main__ import main
from specs.settings import Settings
from specs.source import Source
from specs.stack_file import read_stack, stack_config, stack_names
from tests.project import Project
from tools.editing.cluster import new_cluster
from tools.editing.lines import without

ALPHA = """\
# Alpha's own stack.
encryptionsalt: v1:abc=:v1:def
config:
  # Where it runs.
  sre-platform:kubernetes:
    clusterIdentifier: prod # never changes
    context: prod
    podSecurity: restricted
  sre-platform:teams: [team-a]

  # Ours alone.
  sre-platform:harbor:
    url: https://harbor.example.com
    # Base images.
    sharedProjects:
      - base-images # first
      - more
  sre-platform:guardrails: audit
  aws:region: eu-central-1
"""
GAMMA = """\
config:
  # Where it runs.
  # Gamma is special.
  sre-platform:kubernetes: {clusterIdentifier: prod, podSecurity: baseline, context: prod}
  # Also ours.
  sre-platform:harbor:
    sharedProjects: [base-images, more]
    insecure: false
    url: https://harbor.example.com
  # Gamma agrees.
  sre-platform:guardrails: audit
  sre-platform:teams: [team-c]
  sre-platform:platformHosts: [a.example.com]
encryptionsalt: v1:xyz=:v1:def
"""
# As `pulumi config set` writes it.
BY_PULUMI = """\
config:
  sre-platform:guardrails: audit
  sre-platform:harbor: '{"sharedProjects":["base-images","more"],"url":"https://harbor.example.com"}'
  sre-platform:kubernetes:
    clusterIdentifier: prod
    context: prod
    podSecurity: restricted
  sre-platform:platform: "true"
  sre-platform:teams: '[]'
"""
CLUSTER = """\
# yaml-language-server: $schema=../schemas/cluster.schema.json
# The settings of every stack with `sre-platform:cluster: moved`. All keys: docs/reference.md.
# Where it runs.
kubernetes:
  clusterIdentifier: prod # never changes
  context: prod

# Ours alone.
harbor:
  url: https://harbor.example.com
  # Base images.
  sharedProjects:
    - base-images # first
    - more
guardrails: audit
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Three stacks of one cluster, each with all settings in its own file."""
    made = Project(tmp_path / "project", monkeypatch)
    made.write("Pulumi.team-a.yaml", ALPHA)
    made.write("Pulumi.team-c.yaml", GAMMA)
    made.write("Pulumi.platform.yaml", BY_PULUMI)
    return made


ALL = ("team-a", "team-c", "platform")


def effective(root: Path) -> dict[str, tuple[dict[str, Any], Settings]]:
    """What each stack's settings are in the end, without where they are from."""
    found = dict[str, tuple[dict[str, Any], Settings]]()
    for name in stack_names(root):
        stack, problems = read_stack(root, name)
        assert problems == []
        assert stack
        config = stack_config(root, name)
        config.pop("sre-platform:cluster", None)
        found[name] = config, stack.model_copy(update={"cluster": ""})
    return found


def new(name: str, *stacks: str) -> int:
    return main(["new", "cluster", name, "--from", *stacks])


def refused(project: Project, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said of a cluster for which nothing is written."""
    return project.refused(capsys, "new", "cluster", arguments[0], "--from", *arguments[1:])


def test_each_stack_s_settings_are_what_they_were(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    before = effective(project.root)
    assert new("moved", *ALL) == 0
    assert effective(project.root) == before
    assert {read.cluster for name in ALL if (read := read_stack(project.root, name)[0])} == {
        "moved"
    }
    assert capsys.readouterr().out.splitlines() == [
        "clusters/moved.yaml: written, with kubernetes.clusterIdentifier, kubernetes.context, "
        "harbor.url, harbor.sharedProjects, guardrails.",
        "Pulumi.platform.yaml: names the cluster, and keeps "
        "sre-platform:kubernetes.podSecurity, sre-platform:platform, sre-platform:teams.",
        "Pulumi.team-a.yaml: names the cluster, and keeps "
        "sre-platform:kubernetes.podSecurity, sre-platform:teams, aws:region.",
        "Pulumi.team-c.yaml: names the cluster, and keeps "
        "sre-platform:kubernetes.podSecurity, sre-platform:harbor.insecure, sre-platform:teams, "
        "sre-platform:platformHosts.",
        "The settings of each stack are as before.",
    ]


def test_comments_move_with_what_they_are_about(project: Project) -> None:
    assert new("moved", *ALL) == 0
    assert project.read("clusters/moved.yaml") == CLUSTER
    assert project.read("Pulumi.platform.yaml") == (
        "config:\n"
        "  sre-platform:cluster: moved\n"
        "  sre-platform:kubernetes:\n"
        "    podSecurity: restricted\n"
        '  sre-platform:platform: "true"\n'
        "  sre-platform:teams: '[]'\n"
    )
    assert project.read("Pulumi.team-a.yaml") == (
        "# Alpha's own stack.\n"
        "encryptionsalt: v1:abc=:v1:def\n"
        "config:\n"
        "  sre-platform:cluster: moved\n"
        "  # Where it runs.\n"
        "  sre-platform:kubernetes:\n"
        "    podSecurity: restricted\n"
        "  sre-platform:teams: [team-a]\n"
        "\n"
        "  aws:region: eu-central-1\n"
    )
    assert project.read("Pulumi.team-c.yaml") == (
        "config:\n"
        "  sre-platform:cluster: moved\n"
        "  # Where it runs.\n"
        "  # Gamma is special.\n"
        "  sre-platform:kubernetes: {podSecurity: baseline}\n"
        "  # Also ours.\n"
        "  sre-platform:harbor:\n"
        "    insecure: false\n"
        "  # Gamma agrees.\n"
        "  sre-platform:teams: [team-c]\n"
        "  sre-platform:platformHosts: [a.example.com]\n"
        "encryptionsalt: v1:xyz=:v1:def\n"
    )


def test_a_change_of_one_key_is_then_a_change_of_one_file(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new("moved", *ALL) == 0
    project.write("clusters/moved.yaml", CLUSTER.replace("audit", "deny"))
    after = effective(project.root)
    assert {after[name][1].guardrails for name in ALL} == {"deny"}


def test_stacks_that_are_not_named_stay_as_they_are(project: Project) -> None:
    assert new("moved", "team-*") == 0
    assert project.read("Pulumi.platform.yaml") == BY_PULUMI
    assert read_stack(project.root, "platform")[1] == []


def test_one_stack_s_settings_move_as_a_whole(project: Project) -> None:
    before = effective(project.root)
    assert new("moved", "dev") == 0
    assert effective(project.root) == before
    own = project.read("Pulumi.dev.yaml").partition("config:\n")[2]
    assert own == (
        '  sre-platform:cluster: moved\n  sre-platform:teams: "*"\n  sre-platform:platform: true\n'
    )


def test_a_file_in_braces_can_be_one_of_several(project: Project) -> None:
    own = {"teams": ["team-a"], "kubernetes": {"clusterIdentifier": "prod"}, "guardrails": "audit"}
    config = {f"sre-platform:{key}": value for key, value in own.items()}
    project.write("Pulumi.team-a.yaml", json.dumps({"config": config}))
    before = effective(project.root)
    assert new("moved", "team-a", "team-c") == 0
    assert effective(project.root) == before
    assert project.read("Pulumi.team-a.yaml") == (
        '{"config": {sre-platform:cluster: moved, "sre-platform:teams": ["team-a"]}}'
    )


@pytest.mark.parametrize("name", ["123", "no", "null"])
def test_a_name_that_yaml_reads_as_something_else_is_text(project: Project, name: str) -> None:
    before = effective(project.root)
    assert new(name, *ALL) == 0
    assert effective(project.root) == before


def test_line_ends_stay(project: Project) -> None:
    project.write("Pulumi.team-a.yaml", ALPHA.replace("\n", "\r\n"))
    before = effective(project.root)
    assert new("moved", "team-a", "team-c") == 0
    assert effective(project.root) == before
    for file in ("clusters/moved.yaml", "Pulumi.team-a.yaml"):
        text = project.read(file)
        assert text.count("\n") == text.count("\r\n")
    assert "\r" not in project.read("Pulumi.team-c.yaml")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("prod", "clusters/prod.yaml:1:1: (file): already exists; choose another name, or edit it"),
        ("Prod", "clusters/Prod.yaml:1:1: (file): 'Prod' contains 'P'; use lower-case letters,"),
        ("../x", "clusters/../x.yaml:1:1: (file): '../x' contains '.'; use lower-case letters, d"),
        ("", "clusters/.yaml:1:1: (file): the name is empty; write 1 to 63 characters"),
    ],
)
def test_a_wrong_or_taken_name_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert refused(project, capsys, name, *ALL).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ALPHA.replace("prod #", "other #"),
            "6:24: config.sre-platform:kubernetes.clusterIdentifier: is not 'prod', as in "
            "Pulumi.platform.yaml; leave one of the stacks out",
        ),
        (
            ALPHA.replace("harbor", "harbour"),
            "12:3: config.sre-platform:harbour: is an unknown key; did you mean "
            "'sre-platform:harbor'?",
        ),
        (
            "config:\n  sre-platform:cluster: prod\n  sre-platform:teams: [team-a]\n",
            "2:25: config.sre-platform:cluster: is set already; leave this stack out",
        ),
        (
            ALPHA.replace("text: prod", "text: &a prod").replace("eu-central-1", "*a"),
            "19:15: (file): takes a value from an anchor; write the value out",
        ),
        (
            ALPHA.replace("context: prod", "<<: {context: prod}"),
            "7:5: (file): takes a value from an anchor; write the value out",
        ),
    ],
)  # fmt: skip
def test_a_stack_that_cannot_be_one_of_the_cluster_is_reported(
    project: Project, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    project.write("Pulumi.team-a.yaml", text)
    where, _, message = refused(project, capsys, "moved", *ALL).partition(": ")
    assert f"{where.removeprefix('Pulumi.team-a.yaml:')}: {message}" == said


def test_problems_of_all_stacks_are_reported_at_once(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write("Pulumi.team-a.yaml", ALPHA.replace("harbor:", "harbour:"))
    project.write("Pulumi.team-c.yaml", GAMMA.replace("guardrails", "guardrail"))
    lines = refused(project, capsys, "moved", *ALL).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "Pulumi.team-a.yaml",
        "Pulumi.team-c.yaml",
    ]


@pytest.mark.parametrize(("old", "other"), [("v1:abc", "v1:x"), ("restricted", "baseline")])
def test_a_file_that_would_come_out_otherwise_is_not_written(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    other: str,
) -> None:
    def wrong(source: Source, *rest: Any) -> str:
        return without(source, *rest).replace(old, other)

    monkeypatch.setattr("tools.editing.cluster.without", wrong)
    assert refused(project, capsys, "moved", "team-a", "team-c") == (
        "Pulumi.team-a.yaml:5:3: config: is in a form that cannot be split; write one key per line"
    )


def test_a_config_in_braces_is_reported(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    own = '{"sre-platform:teams": [team-a], "sre-platform:kubernetes": {clusterIdentifier: prod}}'
    project.write("Pulumi.team-a.yaml", f"config: {own}\n")
    assert refused(project, capsys, "moved", "team-a") == (
        "Pulumi.team-a.yaml:1:9: config: is written in braces; use `key: value` lines"
    )


def test_an_unknown_stack_is_a_wrong_command_line(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    before = project.files()
    assert new("moved", "team-a", "prd-*") == 2
    assert capsys.readouterr().err == (
        "no stack 'prd-*'; use some of: dev, platform, team-a, team-c\n"
    )
    assert project.files() == before


HOSTS = st.lists(st.sampled_from(["a.example.com", "b.example.com"]), unique=True, max_size=2)
CONTROL = st.fixed_dictionaries({}, optional={"namespace": st.sampled_from("ab")})
SOME = st.fixed_dictionaries(
    {},
    optional={
        "guardrails": st.sampled_from(["deny", "audit"]),
        "platformHosts": HOSTS,
        "harbor": st.fixed_dictionaries(
            {}, optional={"insecure": st.booleans(), "sharedProjects": st.just(["base-images"])}
        ),
        "istio": st.fixed_dictionaries(
            {}, optional={"controlPlane": st.none() | CONTROL, "gateways": st.just(["a/b"])}
        ),
    },
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(SOME, min_size=1, max_size=3), st.booleans())
def test_whatever_stacks_have_in_common_their_settings_stay(
    tmp_path: Path, stacks: list[dict[str, Any]], nested: bool
) -> None:
    (tmp_path / "clusters").mkdir(exist_ok=True)
    (tmp_path / "clusters" / "moved.yaml").unlink(missing_ok=True)
    for file in tmp_path.glob("Pulumi.*"):
        file.unlink()
    for index, own in enumerate(stacks):
        config = {"kubernetes": {"clusterIdentifier": "prod"}, **own, "teams": []}
        lines = [f"  sre-platform:{key}: {_written(config[key], nested)}\n" for key in config]
        text = f"encryptionsalt: v1:{index}\nconfig:\n{''.join(lines)}"
        (tmp_path / f"Pulumi.{index}.yaml").write_text(text)
    before = effective(tmp_path)
    new_cluster(tmp_path, "moved", stack_names(tmp_path))
    assert effective(tmp_path) == before
    for index in range(len(stacks)):
        text = (tmp_path / f"Pulumi.{index}.yaml").read_text()
        assert text.startswith(f"encryptionsalt: v1:{index}\n")


def _written(value: Any, nested: bool) -> str:
    """A value on lines of its own, or in braces on one."""
    if nested and isinstance(value, dict) and value:
        return "".join(
            f"\n    {key}: {_written(each, False)} # of {key}" for key, each in value.items()
        )
    return json.dumps(value)
