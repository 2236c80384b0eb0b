"""Servers and runs that fail in the middle of `make up`: the messages, and the next run."""

import fcntl
import json
import os
import re
import signal
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest

from binaries.console import INTERRUPTED
from clients.local_servers import environment_file
from sandbox.servers import parts, record
from sandbox.servers.keys import Keys
from sandbox.simulated_openbao import (
    AUTH,
    MOUNT,
    POLICY,
    ROLE,
    SECRET,
)
from tests.checkouts import Checkout, Run, finished
from tests.fake_server import serving
from tests.fault_proxy import (
    Answer,
    Forward,
    Rule,
    answering,
    dropped_after,
    dropped_before,
    proxied,
)
from tests.inventory import cluster_uids, openbao_objects
from tests.servers.conftest import cluster_of, openbao_of, record_of
from tests.servers.test_servers import kill

pytestmark = pytest.mark.servers

WITHIN = 300  # seconds, in which every run ends by itself

TEAM = """\
team: {team}
apps:
  - archetype: web-app
    app:
      name: api
      image: {{repository: harbor.sre.internal/{team}/api, tag: "v1.0.0"}}
      port: 8080
      env: [{{name: KEY, secretRef: api-key}}]
    ingress: {{enabled: true, host: {team}.apps.sre.example.com}}
"""

KYVERNO = "validate.kyverno.svc-fail"
REFUSED = """\

resource Deployment/hail/api was blocked due to the following policies

require-labels:
  check-for-labels: 'validation error: the label cost-center is required'
"""

# Made by controllers, with names that cannot be predicted.
UNFORESEEN = ("Pod", "ReplicaSet", "IPAddress")

# What the inventory calls an OpenBao object of the state.
IN_OPENBAO: dict[str, Callable[[dict[str, Any]], str]] = {
    MOUNT: lambda inputs: f"mount {inputs['path']}/",
    AUTH: lambda inputs: f"login {inputs['path']}/",
    POLICY: lambda inputs: f"policy {inputs['name']}",
    ROLE: lambda inputs: f"role {inputs['roleName']}",
    SECRET: lambda inputs: f"secret {inputs['name']}",
}

# Objects that exist: `Kind namespace/name` with its uid, or OpenBao's names without one.
Inventory = dict[str, str]


class Undisturbed(NamedTuple):
    """What a run without faults makes, and what controllers then add."""

    made: Inventory
    by_controllers: set[str]

    def of_team(self, team: str) -> set[str]:
        """The same for another team than `calm`."""
        return {name.replace("calm", team) for name in self.made if "calm" in name}


class Stack:
    """A checkout whose runs reach their servers through proxies, which apply `rules`."""

    def __init__(self, checkout: Checkout, addresses: dict[str, str], rules: list[Rule]) -> None:
        self.checkout = checkout
        self._addresses = addresses
        self._rules = rules
        self.start_servers()

    def start_servers(self) -> None:
        """Start those that do not run; `make servers` records their own addresses."""
        run = self.checkout.run("servers")
        assert run.code == 0, run.output
        servers = record_of(self.checkout)
        for file in (servers.kubeconfig, environment_file(servers.folder)):
            text = file.read_text(encoding="utf-8")
            for server, proxy in self._addresses.items():
                text = text.replace(server, proxy)
            record.write_private(file, text)

    def add(self, team: str, more: str = "") -> None:
        """Write a team's file, or change it with `more` keys."""
        file = self.checkout.folder / "tenants" / f"{team}.yaml"
        file.write_text(TEAM.format(team=team) + more, encoding="utf-8")

    def start(self, command: str, *rules: Rule) -> subprocess.Popen[str]:
        """For a test that sends it signals."""
        self._rules[:] = rules
        return self.checkout.start(command)

    def finish(self, process: subprocess.Popen[str]) -> Run:
        return self._ended(finished(process, WITHIN))

    def run(self, command: str, *rules: Rule) -> Run:
        self._rules[:] = rules
        return self._ended(self.checkout.run(command, WITHIN))

    def _ended(self, run: Run) -> Run:
        """The run has ended by itself, and each of its rules was needed."""
        assert [rule.request for rule in self._rules if not rule.befallen] == [], run.output
        self._rules.clear()
        assert "Traceback" not in run.output
        return run

    def inventory(self) -> Inventory:
        uids = cluster_uids(cluster_of(self.checkout)).items()
        in_cluster = {name.partition(" ")[2]: uid for name, uid in uids}
        foreseen = {n: uid for n, uid in in_cluster.items() if n.split()[0] not in UNFORESEEN}
        return foreseen | dict.fromkeys(openbao_objects(openbao_of(self.checkout)), "")

    def listed(self) -> dict[str, bool]:
        """What the state lists of the servers' objects, and whether as finished."""
        latest = json.loads(self.checkout.state())["checkpoint"]["latest"]
        pending = [op["resource"] for op in latest.get("pending_operations") or ()]
        return {
            name: not (resource.get("initErrors") or resource in pending)
            for resource in [*pending, *(latest.get("resources") or ())]
            if (name := _named(resource))
        }


def _named(resource: dict[str, Any]) -> str | None:
    """As the inventory does; None for what is not in it."""
    package, _, kind = resource["type"].partition(":")
    inputs = resource.get("inputs") or {}
    if package == "kubernetes":
        metadata = inputs["metadata"]
        return f"{inputs['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
    return IN_OPENBAO[kind](inputs) if package == "vault" and kind in IN_OPENBAO else None


@pytest.fixture(scope="module")
def stack(servers: Checkout) -> Iterator[Stack]:
    for shipped in (servers.folder / "tenants").glob("*.yaml"):
        shipped.unlink()
    recorded = record_of(servers)
    keys, rules = Keys(recorded.folder), list[Rule]()
    api_server, openbao = cluster_of(servers).address, recorded.environment["BAO_ADDR"]
    with (
        proxied(api_server, keys, rules) as to_api_server,
        proxied(openbao, keys, rules) as to_openbao,
    ):
        yield Stack(servers, {api_server: to_api_server, openbao: to_openbao}, rules)


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> Undisturbed:
    before = stack.inventory()
    stack.add("calm")
    run = stack.run("up")
    assert run.code == 0, run.output
    made = {name: uid for name, uid in stack.inventory().items() if name not in before}
    return Undisturbed(made, made.keys() - stack.listed().keys())


def write(kind: str, name: str) -> str:
    """The request that makes or changes a Kubernetes object; a preview's is a dry run."""
    return rf"^(POST|PATCH) /\S+/{kind}/{name}\?(?!.*dryRun)"


def nothing_is_to_be_done(stack: Stack) -> None:
    preview = stack.run("preview")
    assert preview.code == 0, preview.output
    assert preview.count("unchanged") == len(stack.checkout.resources()), preview.output


class Addition:
    """A team that is added to the stack, through whatever gets in the way."""

    def __init__(self, stack: Stack, undisturbed: Undisturbed, team: str) -> None:
        self._stack = stack
        self._undisturbed = undisturbed
        self._team = team
        self._before = self._there = stack.inventory()
        stack.add(team)

    def what_is_listed_is_there(self) -> None:
        """Except for what the state itself calls unfinished."""
        finished = {name for name, finished in self._stack.listed().items() if finished}
        assert finished - self._look().keys() == set()

    def the_state_is_true(self) -> None:
        """It also lists what exists."""
        self.what_is_listed_is_there()
        unlisted = self._there.keys() - self._before.keys() - self._stack.listed().keys()
        by_controllers = {name.replace(self._team, "calm") for name in unlisted}
        assert by_controllers <= self._undisturbed.by_controllers

    def the_next_up_finishes(self) -> None:
        run = self._stack.run("up")
        assert run.code == 0, run.output
        made = self._look().keys() - self._before.keys()
        assert made == self._undisturbed.of_team(self._team)
        nothing_is_to_be_done(self._stack)

    def _look(self) -> Inventory:
        """What exists; nothing from the last look is gone or was recreated."""
        last, self._there = self._there, self._stack.inventory()
        assert {name: self._there.get(name) for name in last} == last
        return self._there


def test_up_recovers_from_faults_that_pass(stack: Stack, undisturbed: Undisturbed) -> None:
    there = stack.inventory()
    down = stack.run(
        "down",
        Rule(r"^DELETE /\S+/namespaces/calm", dropped_after),
        Rule(r"^DELETE /\S+/clusterrolebindings/", answering(409)),
        Rule(r"^DELETE /\S+/validatingadmissionpolicies/", answering(500)),
        Rule(r"^DELETE /\S+/validatingadmissionpolicybindings/", dropped_before),
        Rule(r"^DELETE /v1/sys/mounts/sre", dropped_after),
        Rule(r"^DELETE /v1/sys/auth/kubernetes", dropped_after),
        Rule(r"^DELETE /v1/sys/policies/acl/calm", answering(429, Retry_After="1")),
        Rule(r"^DELETE /v1/sre/data/", dropped_after),
    )
    assert down.code == 0, down.output
    assert stack.inventory().keys() == there.keys() - undisturbed.made.keys()

    up = stack.run(
        "up",
        Rule(write("namespaces", "calm"), dropped_after),
        Rule(write("resourcequotas", "calm-quota"), answering(409)),
        Rule(write("limitranges", "calm-limits"), answering(429, Retry_After="1")),
        Rule(write("services", "api"), answering(500)),
        Rule(write("deployments", "api"), dropped_before),
        Rule(r"^GET /\S+/networkpolicies/allow-dns", dropped_after),
        Rule(r"^PUT /v1/sys/mounts/sre", dropped_after),
        Rule(r"^PUT /v1/sys/auth/kubernetes", dropped_after),
        Rule(r"^PUT /v1/auth/kubernetes/config", answering(429, Retry_After="1")),
        Rule(r"^PUT /v1/sys/policies/acl/calm", dropped_before),
        Rule(r"^PUT /v1/auth/kubernetes/role/calm", answering(500)),
        Rule(r"^PUT /v1/sre/data/calm/harbor-pull", dropped_after),
    )
    assert up.code == 0, up.output
    assert stack.inventory().keys() == there.keys()
    nothing_is_to_be_done(stack)


def test_a_fault_that_does_not_pass_ends_the_run(stack: Stack, undisturbed: Undisturbed) -> None:
    quota, policy = write("resourcequotas", "mist-quota"), r"^PUT /v1/sys/policies/acl/mist"
    the_quota, the_policy = "ResourceQuota mist/mist-quota", "OpenBao Policy mist"
    api_server, openbao = r"the API server at \S+", r"OpenBao at \S+"
    an_update = {
        "ResourceQuota calm/calm-quota": (
            write("resourcequotas", "calm-quota"),
            dropped_before,
            f"{api_server} does not answer",
        )
    }
    rounds = [
        {
            the_quota: (quota, answering(429, Retry_After="1"), f"{api_server} answered 429"),
            the_policy: (policy, answering(500), f"{openbao} answered 500"),
        },
        {
            # If the request had taken effect, the next try would have recognised the object.
            the_quota: (quota, dropped_before, f"{api_server} does not answer"),
            the_policy: (policy, dropped_after, f"{openbao} does not answer"),
        },
        {
            "Deployment mist/api": (
                write("deployments", "api"),
                answering(409),
                f"{api_server} answered 409",
            )
        },
    ]
    mist = Addition(stack, undisturbed, "mist")
    stack.add("calm", "quota: {pods: 31}")
    for round in rounds:
        faults = (an_update | round).items()
        rules = [Rule(request, fault, times=None) for _, (request, fault, _) in faults]
        run = stack.run("up", *rules)
        assert run.code == 1
        for object, (_, _, said) in faults:
            assert re.search(f"{object}: {said}.*; .* again", run.output), run.output
        mist.the_state_is_true()

    listed = stack.listed()
    run = stack.run("up", Rule(r"^GET /\S+/mist-quota", answering(500), times=None))
    assert run.code == 1
    assert re.search(f"{the_quota}: {api_server} answered 500", run.output), run.output
    assert stack.listed().keys() == listed.keys()

    mist.the_next_up_finishes()
    updated = cluster_of(stack.checkout).get("v1", "ResourceQuota", "calm", "calm-quota")
    assert updated
    assert updated["spec"]["hard"]["pods"] == "31"


def test_a_team_is_held_by_access_that_was_not_revoked(stack: Stack) -> None:
    bound = ("rbac.authorization.k8s.io/v1", "RoleBinding", "fog", "fog-developers")
    file = stack.checkout.folder / "tenants" / "fog.yaml"
    stack.add("fog")
    assert stack.run("up").code == 0

    stack.add("fog", "lifecycle: offboarding")
    text = file.read_text(encoding="utf-8")
    revoked = r"^DELETE /\S+/rolebindings/fog-developers"
    failed = stack.run("up", Rule(revoked, answering(403), times=None))
    assert failed.code == 1
    assert cluster_of(stack.checkout).get(*bound)

    file.unlink()
    for command in ("preview", "up"):
        refused = stack.run(command)
        assert refused.code == 1
        (line,) = re.findall(r"tenants/fog\.yaml:1:1: .*", refused.output)
        assert "(file): fog no longer has a file, but " in line
        assert "RoleBinding fog/fog-developers" in line or "more are still there" in line
    assert cluster_of(stack.checkout).get("v1", "Namespace", None, "fog")

    file.write_text(text, encoding="utf-8")
    assert stack.run("up").code == 0
    assert cluster_of(stack.checkout).get(*bound) is None
    file.unlink()
    assert stack.run("up").code == 0
    assert cluster_of(stack.checkout).get("v1", "Namespace", None, "fog") is None
    nothing_is_to_be_done(stack)


def test_servers_are_killed_in_the_middle_of_a_run(stack: Stack, undisturbed: Undisturbed) -> None:
    gale = Addition(stack, undisturbed, "gale")
    for server, request, said in [
        (
            parts.OPENBAO,
            r"^PUT /v1/sre/data/gale/harbor-pull",
            r"OpenBao SecretV2 sre/data/gale/harbor-pull: OpenBao at \S+ does not answer",
        ),
        (
            parts.API_SERVER,
            write("deployments", "api"),
            r"Deployment gale/api: the API server at \S+ does not answer",
        ),
    ]:
        run = stack.run("up", Rule(request, partial(killed, stack.checkout, server)))
        assert run.code == 1
        assert re.search(f"{said}.*; `make servers` starts it again", run.output), run.output

        state = stack.checkout.state()
        again = stack.run("up")
        assert again.code == 1
        assert "does not answer; `make servers` starts it again" in again.output
        assert stack.checkout.state() == state

        stack.start_servers()
        gale.the_state_is_true()
    gale.the_next_up_finishes()


def killed(checkout: Checkout, server: str, forward: Forward) -> None:
    """The request takes effect, but its answer is lost."""
    forward()
    kill(checkout, server)


def test_a_run_is_cut_short_by_signals(stack: Stack, undisturbed: Undisturbed) -> None:
    rain = Addition(stack, undisturbed, "rain")
    run = cut_short(stack, write("namespaces", "rain"), kill_program)
    assert run.code == -signal.SIGKILL
    rain.what_is_listed_is_there()  # the next run takes up what was done after the signal

    run = cut_short(stack, write("externalsecrets", "harbor-pull"), kill_with_engine)
    assert run.code == -signal.SIGKILL
    rain.the_state_is_true()

    run = cut_short(stack, write("deployments", "api"), interrupt)
    assert run.code == INTERRUPTED
    rain.the_state_is_true()
    assert "the next `make up` carries on from here" in run.output
    rain.the_next_up_finishes()


def cut_short(stack: Stack, request: str, strike: Callable[[subprocess.Popen[str]], None]) -> Run:
    """A run that gets the signal while it makes this request, which still takes effect."""

    def struck(forward: Forward) -> Answer | None:
        strike(process)
        return forward()

    process = stack.start("up", Rule(request, struck))
    run = stack.finish(process)
    with (stack.checkout.folder / ".sandbox" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the engine holds it too, and may outlive the program
    return run


def kill_program(process: subprocess.Popen[str]) -> None:
    """The engine ends by itself once its program is gone."""
    os.killpg(process.pid, signal.SIGKILL)


def kill_with_engine(process: subprocess.Popen[str]) -> None:
    subprocess.run(["pkill", "-KILL", "-P", str(process.pid)], check=True)
    kill_program(process)


def interrupt(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


@contextmanager
def policy_engine(stack: Stack, address: str) -> Iterator[None]:
    """A webhook that the API server calls for each Deployment, with the name of Kyverno's."""
    folder = record_of(stack.checkout).folder
    kind = "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"
    name = "kyverno-resource-validating-webhook-cfg"
    webhook = {
        "name": KYVERNO,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "url": f"{address}/validate/fail",
            "caBundle": b64encode(Keys(folder).ca_cert.read_bytes()).decode(),
        },
        "failurePolicy": "Fail",
        "rules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments"],
            }
        ],
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 10,
    }
    cluster = cluster_of(stack.checkout)
    cluster.create(
        {
            "apiVersion": kind[0],
            "kind": kind[1],
            "metadata": {"name": name},
            "webhooks": [webhook],
        }
    )
    try:
        yield
    finally:
        cluster.delete(*kind, None, name)


def refusing(review: Any) -> tuple[int, Any]:
    """Refuse as Kyverno does for a policy."""
    response = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": REFUSED}}
    return 200, review | {"request": None, "response": response}


def test_up_reports_that_the_policy_engine_refuses_or_is_down(
    stack: Stack, undisturbed: Undisturbed
) -> None:
    hail = Addition(stack, undisturbed, "hail")
    with serving(Keys(record_of(stack.checkout).folder)) as engine:
        engine.answers["POST /validate/fail"] = refusing
        with policy_engine(stack, engine.address):
            run = stack.run("up")
            assert run.code == 1, run.output
            assert f'admission webhook "{KYVERNO}" denied the request' in run.output
            for line in REFUSED.split("\n"):
                assert line.strip() in run.output
        hail.the_state_is_true()
    with policy_engine(stack, "https://127.0.0.1:1"):  # where nothing listens
        run = stack.run("up")
        assert run.code == 1, run.output
        assert f'failed calling webhook "{KYVERNO}"' in run.output
        assert "connection refused; start the webhook's server" in run.output
    hail.the_state_is_true()
    hail.the_next_up_finishes()
