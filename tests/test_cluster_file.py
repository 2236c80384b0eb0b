"""A cluster's file: how a stack's settings are merged with it, and where problems are reported."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.cluster_file import cluster_names, from_cluster, merged, overrides
from specs.settings import PREFIX, ClusterSettings, Settings, StackSettings
from specs.stack_file import overridden, read_stack, stack_config, stack_names
from tests.written import ROOT, place

CLUSTER = "kubernetes: {clusterIdentifier: test, context: a}\n"
STACK = "config:\n  sre-platform:cluster: prod\n  sre-platform:teams: [team-a]\n"


def written(root: Path, stack: str = STACK, cluster: str = CLUSTER) -> Path:
    """A project with a stack `test`, a cluster `prod` and a team."""
    for file, text in (
        ("Pulumi.test.yaml", stack),
        ("clusters/prod.yaml", cluster),
        ("tenants/team-a.yaml", "team: team-a\n"),
    ):
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(text)
    return root


def settings(root: Path) -> Settings:
    found, problems = read_stack(root, "test")
    assert problems == []
    assert found
    return found


def test_a_stack_has_its_cluster_s_settings(tmp_path: Path) -> None:
    root = written(tmp_path, cluster=CLUSTER + "harbor: {sharedProjects: [base]}\n")
    alone = tmp_path / "alone"
    alone.mkdir()
    written(
        alone,
        "config:\n  sre-platform:teams: [team-a]\n"
        "  sre-platform:kubernetes: {clusterIdentifier: test, context: a}\n"
        "  sre-platform:harbor: {sharedProjects: [base]}\n",
    )
    assert settings(root) == settings(alone).model_copy(update={"cluster": "prod"})


@pytest.mark.parametrize(
    ("cluster", "own", "both"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        (
            {"a": {"b": 1, "c": {"d": 2}}},
            {"a": {"c": {"e": 3}}},
            {"a": {"b": 1, "c": {"d": 2, "e": 3}}},
        ),
        ({"a": (1, 2)}, {"a": (3,)}, {"a": (3,)}),
        ({"a": ({"b": 1},)}, {"a": ({"c": 1},)}, {"a": ({"c": 1},)}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
    ],
)
def test_mappings_are_merged_and_anything_else_is_replaced(
    cluster: dict[str, Any], own: dict[str, Any], both: dict[str, Any]
) -> None:
    assert merged(cluster, own) == both


VALUES = st.recursive(
    st.sampled_from([None, True, "x", 1, (1, 2)]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def at(data: Any, loc: tuple[Any, ...]) -> Any:
    for part in loc:
        data = data[part]
    return data


def leaves(data: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(data, dict):
        return [loc]
    return [each for key in data for each in leaves(data[key], (*loc, key))]


@given(MAPPINGS, MAPPINGS)
def test_each_value_is_of_the_file_that_it_is_said_to_be_of(
    cluster: dict[str, Any], own: dict[str, Any]
) -> None:
    both = merged(cluster, own)
    for loc in leaves(both):
        assert at(both, loc) == at(cluster if from_cluster(cluster, own, loc) else own, loc)
    replaced = dict(overrides(cluster, own))
    for loc, value in replaced.items():
        assert at(both, loc) == value
        at(cluster, loc)
    assert merged(cluster, both) == both, "a merged config means itself"


@pytest.mark.parametrize(
    ("stack", "cluster", "said"),
    [
        (
            STACK,
            "kubernetes: {clusterIdentifier: test, podSecurity: «high}\n",
            "clusters/prod.yaml:{}: kubernetes.podSecurity: 'high' is not one of privileged, "
            "baseline, restricted; use privileged, baseline or restricted",
        ),
        (
            STACK,
            CLUSTER + "«harbour: {}\n",
            "clusters/prod.yaml:{}: harbour: is an unknown key; did you mean 'harbor'?",
        ),
        (
            STACK,
            CLUSTER + "«sre-platform:harbor: {}\n",
            "clusters/prod.yaml:{}: sre-platform:harbor: is an unknown key; did you mean 'harbor'?",
        ),
        (
            STACK,
            CLUSTER + "«teams: '*'\n",
            "clusters/prod.yaml:{}: teams: is not supported here; move it to the stacks' own "
            "files, Pulumi.<stack>.yaml",
        ),
        (
            STACK,
            "«harbor: {}\n",
            "clusters/prod.yaml:{}: kubernetes: is missing; add it, with clusterIdentifier "
            "below it",
        ),
        (
            STACK,
            "«",
            "clusters/prod.yaml:{}: (file): is empty; write at least the key `kubernetes`",
        ),
        (
            STACK,
            CLUSTER + "namespace: {labels: {a.b/c: «ghp_abcdefghijklmnopqrstuvwxyz0123456789}}\n",
            "clusters/prod.yaml:{}: namespace.labels.a.b/c: looks like a credential, and viewers "
            "can read it; store it in OpenBao",
        ),
        (
            STACK,
            CLUSTER + "network: {platform: {mail: {host: a.example.com, ports: [25, «25]}}}\n",
            "clusters/prod.yaml:{}: network.platform.mail.ports[1]: '25' is listed twice; remove "
            "one",
        ),
        (
            STACK + "  sre-platform:kubernetes: {context: «1}\n",
            CLUSTER,
            "Pulumi.test.yaml:{}: config.sre-platform:kubernetes.context: YAML reads this as a "
            'number; put it in quotes: "1"',
        ),
        (
            STACK + "  sre-platform:istio: {proxy: «{limits: {cpu: 10m}}}\n",
            CLUSTER + "istio: {proxy: {requests: {cpu: 50m}}}\n",
            "Pulumi.test.yaml:{}: config.sre-platform:istio.proxy: requests.cpu 50m is over "
            "limits.cpu 10m; lower it",
        ),
        (
            STACK + "  sre-platform:network: {platform: {mail: {ports: [22, «22]}}}\n",
            CLUSTER + "network: {platform: {mail: {host: a.example.com, ports: [25, 25]}}}\n",
            "Pulumi.test.yaml:{}: config.sre-platform:network.platform.mail.ports[1]: '22' is "
            "listed twice; remove one",
        ),
        (
            "config:\n  «sre-platform:cluster: prod\n",
            CLUSTER,
            "Pulumi.test.yaml:{}: config.sre-platform:teams: is missing; add it, such as "
            '`sre-platform:teams: "*"`',
        ),
        (
            STACK.replace(": prod", ": «prdo"),
            CLUSTER,
            "Pulumi.test.yaml:{}: config.sre-platform:cluster: there is no clusters/prdo.yaml; did "
            "you mean prod?",
        ),
        (
            STACK.replace(": prod", ": «../tenants/team-a"),
            CLUSTER,
            "Pulumi.test.yaml:{}: config.sre-platform:cluster: there is no "
            "clusters/../tenants/team-a.yaml; use one of: prod",
        ),
        (
            STACK.replace(": prod", ": «[prod]"),
            CLUSTER,
            "Pulumi.test.yaml:{}: config.sre-platform:cluster: must be text, not a list; write a "
            "single value",
        ),
        (
            STACK.replace(": prod", ': «""'),
            CLUSTER,
            "Pulumi.test.yaml:{}: config.sre-platform:cluster: there is no clusters/.yaml; use one "
            "of: prod",
        ),
    ],
)
def test_a_problem_is_reported_in_the_file_that_has_the_value(
    tmp_path: Path, stack: str, cluster: str, said: str
) -> None:
    marked = stack if "«" in stack else cluster
    text, where = place(marked)
    root = written(tmp_path, *((text, cluster) if marked is stack else (stack, text)))
    _, problems = read_stack(root, "test")
    assert list(map(str, problems)) == [said.format(where)]


def test_problems_of_both_files_are_reported_at_once(tmp_path: Path) -> None:
    root = written(tmp_path, STACK + "  sre-platform:harbour: {}\n", "harbor: {hots: x}\n")
    _, problems = read_stack(root, "test")
    assert {(problem.file, problem.path) for problem in problems} == {
        ("Pulumi.test.yaml", "config.sre-platform:harbour"),
        ("clusters/prod.yaml", "harbor.hots"),
        ("clusters/prod.yaml", "kubernetes"),
    }


def test_a_stack_whose_cluster_has_no_file_is_told_to_add_it(tmp_path: Path) -> None:
    root = written(tmp_path)
    (root / "clusters" / "prod.yaml").unlink()
    _, (problem,) = read_stack(root, "test")
    assert problem.message == "there is no clusters/prod.yaml; add it"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.mkdir, "is a directory; use a YAML file"),
        (lambda file: file.symlink_to("nowhere"), "no such file; check the path"),
        (os.mkfifo, "is not a regular file; use one"),
    ],
)
def test_a_cluster_s_file_that_cannot_be_read_is_reported(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    file = written(tmp_path) / "clusters" / "prod.yaml"
    file.unlink()
    make(file)
    found, problems = read_stack(tmp_path, "test")
    assert found is None
    assert (problems[0].file, problems[0].message) == ("clusters/prod.yaml", message)


def test_a_hidden_file_is_no_cluster_s(tmp_path: Path) -> None:
    written(tmp_path, STACK.replace("prod", ".prod"))
    (tmp_path / "clusters" / "prod.yaml").rename(tmp_path / "clusters" / ".prod.yaml")
    _, (problem,) = read_stack(tmp_path, "test")
    assert problem.message == "there is no clusters/.prod.yaml; add it"


def test_what_pulumi_sets_in_the_stack_s_file_replaces_the_cluster_s_value(tmp_path: Path) -> None:
    # As `pulumi config set` writes values that are not nested.
    text = STACK + '  sre-platform:kubernetes: \'{"context": "b"}\'\n'
    root = written(tmp_path, text)
    kubernetes = settings(root).kubernetes
    assert (kubernetes.cluster_identifier, kubernetes.context) == ("test", "b")
    assert overridden(root, "test") == {("sre-platform:kubernetes", "context"): "b"}


def test_the_engine_s_config_is_merged_with_the_cluster_too(tmp_path: Path) -> None:
    config = {"cluster": "prod", "teams": ["team-a"], "kubernetes": {"context": "b"}}
    root = written(tmp_path)
    found, problems = read_stack(root, "test", {PREFIX + key: config[key] for key in config})
    assert problems == []
    assert found
    assert (found.kubernetes.cluster_identifier, found.kubernetes.context) == ("test", "b")
    assert found.teams == ("team-a",)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    root = written(tmp_path)
    assert settings(root).kubernetes.context == "a"
    written(root, cluster=CLUSTER.replace("context: a", "context: c"))
    assert settings(root).kubernetes.context == "c"


def test_the_config_of_a_stack_without_a_cluster_is_its_own(tmp_path: Path) -> None:
    own = {"sre-platform:teams": ("team-a",), "other:key": "x"}
    root = written(tmp_path, "config:\n  sre-platform:teams: [team-a]\n  other:key: x\n")
    assert stack_config(root, "test") == own
    assert overridden(root, "test") == {}


def test_a_setting_is_a_stack_s_or_may_be_a_cluster_s() -> None:
    own, shared = set(StackSettings.model_fields), set(ClusterSettings.model_fields)
    assert not own & shared
    assert own | shared == set(Settings.model_fields)


def test_each_shipped_cluster_has_stacks() -> None:
    used = {stack_config(ROOT, name).get("sre-platform:cluster") for name in stack_names(ROOT)}
    assert set(cluster_names(ROOT)) == used - {None}


def test_stacks_of_a_shipped_cluster_replace_none_of_its_settings() -> None:
    assert [name for name in stack_names(ROOT) if overridden(ROOT, name)] == []
