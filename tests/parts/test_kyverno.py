"""What Kyverno's engine says about everything created here, by policies like the guide's.

They are the policies of `make servers PARTS=kyverno`, judged here by Kyverno's command line,
without a cluster.
"""

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from binaries.pinned import KYVERNO, KYVERNO_PUBLISHED, find
from cli.__main__ import main
from tests.program import ROOT, TEAMS
from tests.written import entry, team

pytestmark = pytest.mark.parts

POLICIES = ROOT / "sandbox" / "servers" / "kyverno-policies.yaml"
EXCEPTION = ROOT / "docs" / "examples" / "writable-root.yaml"

Object = dict[str, Any]
Change = Callable[[Object], None]


class Verdict(NamedTuple):
    """A policy's verdict on an object: `pass`, `fail`, `error` or `skip`."""

    policy: str
    result: str
    object: str


Judge = Callable[..., set[Verdict]]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    kyverno = find(KYVERNO, KYVERNO_PUBLISHED)["kyverno"]

    def judge(objects: Iterable[Object], *options: str) -> set[Verdict]:
        file = tmp_path_factory.mktemp("objects") / "all.yaml"
        file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
        report = ["--resource", str(file), "--policy-report", "--output-format", "json"]
        command = [str(kyverno), "apply", str(POLICIES), *report, *options]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return {
            Verdict(each["policy"], each["result"], f"{object['kind']} {object['name']}")
            for each in json.loads(done.stdout)["results"]
            for object in each["resources"]
        }

    return judge


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Object]:
    """All Kubernetes objects of the shipped teams and of one that uses every key."""
    folders = [tmp_path_factory.mktemp("rendered") for _ in range(2)]
    assert main(["render", "--out", str(folders[0])]) == 0
    assert main(["render", "--out", str(folders[1]), "--tenants", str(TEAMS)]) == 0
    # The platform's own objects are in both.
    files = {file.relative_to(each): file for each in folders for file in each.rglob("*.yaml")}
    return [
        yaml.safe_load(file.read_text(encoding="utf-8"))
        for path, file in files.items()
        if path.parts[0] == "kubernetes"
    ]


def test_everything_that_the_program_creates_passes(
    judge: Judge, rendered: Sequence[Object]
) -> None:
    verdicts = judge(rendered)
    assert {each for each in verdicts if each.result != "pass"} == set()
    policies = yaml.safe_load_all(POLICIES.read_text(encoding="utf-8"))
    assert {each.policy for each in verdicts} == {each["metadata"]["name"] for each in policies}
    workloads = {f"{each['kind']} {each['metadata']['name']}" for each in rendered if _pod(each)}
    for policy in ("images", "labels", "security-context", "resources"):
        assert {each.object for each in verdicts if each.policy == policy} == workloads


def test_the_page_s_exception_lifts_a_policy_for_the_named_app_alone(
    judge: Judge, tmp_path: Path
) -> None:
    owner = "reason: a, ticket: b, approvedBy: c, until: 9999-12-31"
    beside = f"exceptions: [{{allow: writableRootFilesystem, {owner}}}]"
    apps = "".join(entry(beside=beside, name=name) for name in ("wiki", "forum"))
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "team-alpha.yaml").write_text(team(f"apps:\n{apps}"))
    options = ("--tenants", str(tmp_path / "tenants"), "--out", str(tmp_path / "out"))
    assert main(["render", *options]) == 0
    made = (tmp_path / "out" / "kubernetes" / "team-alpha").glob("Deployment-*.yaml")
    workloads = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in made]
    pods = [
        {"apiVersion": "v1", "kind": "Pod", **each["spec"]["template"]}
        | {"metadata": {**each["metadata"], "name": f"{each['metadata']['name']}-pod"}}
        for each in workloads
    ]
    verdicts = judge([*workloads, *pods], "--exceptions", str(EXCEPTION))
    assert {each for each in verdicts if each.result != "pass"} == {
        ("security-context", "skip", "Deployment wiki"),
        ("security-context", "skip", "Pod wiki-pod"),
        ("security-context", "fail", "Deployment forum"),
        ("security-context", "fail", "Pod forum-pod"),
    }


def _template(object: Object) -> Object | None:
    spec = object.get("spec") or {}
    template: Object | None = spec.get("jobTemplate", {"spec": spec})["spec"].get("template")
    return template


def _pod(object: Object) -> Object | None:
    template = _template(object)
    return template["spec"] if template and "containers" in template.get("spec", {}) else None


def _of_pod(**values: Any) -> Change:
    """A change of keys in the pod's spec."""

    def change(object: Object) -> None:
        pod = _pod(object)
        assert pod
        pod |= values

    return change


def _of_container(*path: str, value: Any) -> Change:
    """A change of one key of the first container; None removes it."""

    def change(object: Object) -> None:
        pod = _pod(object)
        assert pod
        place = pod["containers"][0]
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


def _without_label(label: str, of_pods: bool = False) -> Change:
    def change(object: Object) -> None:
        template = _template(object) if of_pods else object
        assert template
        del template["metadata"]["labels"][label]

    return change


def _of_spec(**values: Any) -> Change:
    def change(object: Object) -> None:
        object["spec"] |= values

    return change


# Policy, an object's kind, and what makes the policy refuse it.
WEAKER: dict[str, tuple[str, str, Change]] = {
    "other-registry": ("images", "Deployment", _of_container("image", value="quay.io/a/b:v1")),
    "latest": ("images", "CronJob", _of_container("image", value="harbor.sre.internal/a/b:latest")),
    "no-tag": ("images", "Deployment", _of_container("image", value="harbor.sre.internal/a/b")),
    "no-team": ("labels", "Deployment", _without_label("sre.io/team", of_pods=True)),
    "root": ("security-context", "Deployment", _of_pod(securityContext={})),
    "writable": (
        "security-context",
        "CronJob",
        _of_container("securityContext", "readOnlyRootFilesystem", value=None),
    ),
    "escalation": (
        "security-context",
        "Deployment",
        _of_container("securityContext", "allowPrivilegeEscalation", value=True),
    ),
    "privileged": (
        "security-context",
        "Deployment",
        _of_container("securityContext", "privileged", value=True),
    ),
    "capability": (
        "security-context",
        "Deployment",
        _of_container("securityContext", "capabilities", "add", value=["NET_RAW"]),
    ),
    "nothing-dropped": (
        "security-context",
        "CronJob",
        _of_container("securityContext", "capabilities", value=None),
    ),
    "host-network": ("security-context", "Deployment", _of_pod(hostNetwork=True)),
    "host-path": (
        "security-context",
        "Deployment",
        _of_pod(volumes=[{"name": "etc", "hostPath": {"path": "/etc"}}]),
    ),
    "host-port": (
        "security-context",
        "Deployment",
        _of_container("ports", value=[{"containerPort": 8080, "hostPort": 8080}]),
    ),
    "token": ("security-context", "CronJob", _of_pod(automountServiceAccountToken=True)),
    "no-limits": ("resources", "Deployment", _of_container("resources", "limits", value=None)),
    "no-requests": ("resources", "CronJob", _of_container("resources", "requests", value=None)),
    "no-liveness": ("probes", "Deployment", _of_container("livenessProbe", value=None)),
    "no-readiness": ("probes", "Deployment", _of_container("readinessProbe", value=None)),
    "node-port": ("services", "Service", _of_spec(type="NodePort")),
    "external-ip": ("services", "Service", _of_spec(externalIPs=["10.0.0.1"])),
    "no-mesh": ("namespaces", "Namespace", _without_label("istio-injection")),
    "no-pod-security": (
        "namespaces",
        "Namespace",
        _without_label("pod-security.kubernetes.io/enforce"),
    ),
    "all-come-in": ("network-policies", "NetworkPolicy", _of_spec(ingress=[{}])),
    "all-go-out": ("network-policies", "NetworkPolicy", _of_spec(egress=[{}])),
}


def weakened(rendered: Sequence[Object], name: str) -> Object:
    """A copy of the first object of that kind, with the change and the name."""
    _, kind, change = WEAKER[name]
    object = deepcopy(next(each for each in rendered if each["kind"] == kind))
    change(object)
    object["metadata"]["name"] = name
    if kind == "Namespace" and "sre.io/team" in object["metadata"]["labels"]:
        object["metadata"]["labels"]["sre.io/team"] = name
    return object


def test_each_policy_refuses_what_is_weaker(judge: Judge, rendered: Sequence[Object]) -> None:
    changed = [weakened(rendered, name) for name in WEAKER]
    failed = {(each.policy, each.object) for each in judge(changed) if each.result == "fail"}
    assert failed == {(policy, f"{kind} {name}") for name, (policy, kind, _) in WEAKER.items()}
