"""Probes: the kinds of checks, their times, and what is wrong with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import DEPLOYMENT, web_app, worker
from tests.written import accepted, app, place, reported, rows, warned

IT, JOB = "team-alpha/my-api", "team-alpha/consumer"
IN = "apps[0].app.probes"


def of_worker(in_app: str) -> str:
    return app(in_app, archetype="worker")


CHECKS: dict[str, tuple[str, dict[str, Any]]] = {
    "path on the main port": ("path: /up", {"httpGet": {"path": "/up", "port": "http"}}),
    "path on another port": (
        "path: /up, port: 9000",
        {"httpGet": {"path": "/up", "port": 9000}},
    ),
    "the default path on another port": (
        "port: 9000",
        {"httpGet": {"path": "/healthz", "port": 9000}},
    ),
    "tcp": ("tcp: {port: 5432}", {"tcpSocket": {"port": 5432}}),
    "tcp on the main port": ("tcp: {}", {"tcpSocket": {"port": "http"}}),
    "grpc": ("grpc: {port: 9000}", {"grpc": {"port": 9000}}),
    "grpc on the main port": (
        "grpc: {service: shop.v1.Orders}",
        {"grpc": {"port": 8080, "service": "shop.v1.Orders"}},
    ),
    "exec": ("exec: {command: [/bin/check]}", {"exec": {"command": ["/bin/check"]}}),
}


@pytest.mark.parametrize(("keys", "check"), CHECKS.values(), ids=CHECKS)
def test_a_web_app_is_checked_in_any_way(
    program: Program, keys: str, check: dict[str, Any]
) -> None:
    made = program(web_app(f"app: {{probes: {{liveness: {{{keys}}}}}}}"))
    probe = made.one(DEPLOYMENT, IT).container["livenessProbe"]
    assert probe == {**check, "initialDelaySeconds": 10, "periodSeconds": 10}


def test_a_worker_is_checked_on_the_port_that_it_names(program: Program) -> None:
    keys = """
    app:
      probes:
        startup: {}
        liveness: {path: /up, port: 9000}
        readiness: {grpc: {port: 9001}, successThreshold: 2}
    """
    container = program(worker(keys)).one(DEPLOYMENT, JOB).container
    http = {"path": "/up", "port": 9000}
    assert container["startupProbe"]["httpGet"] == container["livenessProbe"]["httpGet"] == http
    assert container["readinessProbe"] == {
        "grpc": {"port": 9001},
        "initialDelaySeconds": 5,
        "periodSeconds": 10,
        "successThreshold": 2,
    }


def test_all_times_reach_the_probe(program: Program) -> None:
    keys = """
    app:
      probes:
        startup:
          {tcp: {}, initialDelaySeconds: 1, periodSeconds: 2, timeoutSeconds: 3,
           failureThreshold: 40}
    """
    container = program(web_app(keys)).one(DEPLOYMENT, IT).container
    assert container["startupProbe"] == {
        "tcpSocket": {"port": "http"},
        "initialDelaySeconds": 1,
        "periodSeconds": 2,
        "timeoutSeconds": 3,
        "failureThreshold": 40,
    }


def test_a_startup_probe_without_a_check_makes_that_of_liveness(program: Program) -> None:
    def started(probes: str) -> dict[str, Any]:
        made = program(web_app(f"app: {{probes: {{{probes}}}}}"))
        return made.one(DEPLOYMENT, IT).container["startupProbe"]

    default = started("startup: {}")
    assert default["httpGet"] == {"path": "/healthz", "port": "http"}
    assert (default["periodSeconds"], default["failureThreshold"]) == (5, 30)
    assert started("startup: {}, liveness: {exec: {command: [/up]}}")["exec"] == {
        "command": ["/up"]
    }
    off = started("startup: {}, liveness: {enabled: false, reason: none, path: /up}")
    assert off["httpGet"] == {"path": "/up", "port": "http"}


def test_a_probe_that_is_off_is_not_made_and_the_deployment_says_why(program: Program) -> None:
    probe = "{enabled: false, reason: it ends by itself}"
    made = program(web_app(f"app: {{probes: {{liveness: {probe}}}}}")).one(DEPLOYMENT, IT)
    assert "livenessProbe" not in made.container
    assert "readinessProbe" in made.container
    assert made.metadata["annotations"] == {"sre.io/liveness-probe-off": "it ends by itself"}
    assert "annotations" not in program(web_app()).one(DEPLOYMENT, IT).metadata


OFF = "{enabled: false, reason: it has none}"


@pytest.mark.parametrize("text", [app, of_worker], ids=["web-app", "worker"])
def test_a_cluster_that_requires_probes_has_no_app_without(
    tmp_path: Path, text: Callable[[str], str]
) -> None:
    kubernetes = {"clusterIdentifier": "test", "requireProbes": True}
    probes = "probes: {liveness: {enabled: «false, reason: none}, readiness: {tcp: {port: 1}}}"
    file, where = place(text(probes))
    assert reported(tmp_path, file, kubernetes=kubernetes) == [
        f"tenants/team-alpha.yaml:{where}: {IN}.liveness.enabled: is false, but the probe is "
        "required on this cluster (sre-platform:kubernetes.requireProbes); remove it"
    ]
    accepted(tmp_path, file)


TOKEN = "ghp_" + "a1B2" * 9


@rows(
    {
        "no check": (
            of_worker("probes: {liveness: «{periodSeconds: 5}}"),
            f"{IN}.liveness: has no check; add one of `path`, `tcp`, `grpc` and `exec`",
        ),
        "nothing to start with": (
            of_worker("probes: {startup: «{}}"),
            f"{IN}.startup: has no check; add one of `path`, `tcp`, `grpc` and `exec`",
        ),
        "a connection without its braces": (
            app("probes: {liveness: {tcp: «null}}"),
            f"{IN}.liveness.tcp: is empty; write {{}} for `app.port`, or remove it",
        ),
        "a call without its braces": (
            app("probes: {readiness: {grpc: «null}}"),
            f"{IN}.readiness.grpc: is empty; write {{}} for `app.port`, or remove it",
        ),
        "a command without words": (
            app("probes: {startup: {exec: «null}}"),
            f"{IN}.startup.exec: is empty; give it a `command`, or remove it",
        ),
        "a startup probe without its braces": (
            app("probes: {startup: «null}"),
            f"{IN}.startup: is empty; write {{}} for the check of `liveness`, or remove it",
        ),
        "two checks": (
            app("probes: {liveness: {path: /up, tcp: «{port: 9000}}}"),
            f"{IN}.liveness.tcp: is a second check beside `path`; keep one of the two",
        ),
        "a port beside its check": (
            app("probes: {liveness: {tcp: {}, port: «9000}}"),
            f"{IN}.liveness.port: applies only to `path`; write it under `tcp`",
        ),
        "a port beside a command": (
            app("probes: {liveness: {exec: {command: [x]}, port: «9000}}"),
            f"{IN}.liveness.port: applies only to `path`; remove it",
        ),
        "a port without a path": (
            app("probes: {startup: {port: «9000}}"),
            f"{IN}.startup.port: applies only to `path`; add that",
        ),
        "a worker's path without a port": (
            of_worker("probes: {liveness: «{path: /up}}"),
            f"{IN}.liveness: has no port, and a worker has no `app.port`; add `port`",
        ),
        "a worker's connection without a port": (
            of_worker("probes: {liveness: {tcp: «{}}}"),
            f"{IN}.liveness.tcp: has no port, and a worker has no `app.port`; add `port`",
        ),
        "a port of the sidecar": (
            app("probes: {readiness: {grpc: {port: «15021}}}"),
            f"{IN}.readiness.grpc.port: 15021 is used by Istio's sidecar in every pod; "
            "use another port such as 8080",
        ),
        "off without a reason": (
            app("probes: {readiness: {enabled: «false}}"),
            f"{IN}.readiness.enabled: is false without a reason; add `reason`, or turn it on",
        ),
        "off with an empty reason": (
            app("probes: {readiness: {enabled: «false, reason: ' '}}"),
            f"{IN}.readiness.enabled: is false without a reason; add `reason`, or turn it on",
        ),
        "a reason for what is on": (
            app("probes: {readiness: {reason: «no time}}"),
            f"{IN}.readiness.reason: applies only to `enabled: false`; remove it",
        ),
        "several successes of liveness": (
            app("probes: {liveness: {successThreshold: «2}}"),
            f"{IN}.liveness.successThreshold: 2 is not possible here, because Kubernetes takes "
            "one success as enough; remove it",
        ),
        "several successes of startup": (
            of_worker("probes: {startup: {tcp: {port: 1}, successThreshold: «2}}"),
            f"{IN}.startup.successThreshold: 2 is not possible here, because Kubernetes takes "
            "one success as enough; remove it",
        ),
        "no time": (
            app("probes: {liveness: {timeoutSeconds: «0}}"),
            f"{IN}.liveness.timeoutSeconds: 0 is below 1; write 1 or more",
        ),
        "a credential in a reason": (
            app(f"probes: {{liveness: {{enabled: false, reason: «{TOKEN}}}}}"),
            f"{IN}.liveness.reason: contains a GitHub token, which everyone who may view the app "
            "can read; remove it",
        ),
        "a credential in a command": (
            app(f"probes: {{startup: {{exec: {{command: [x, «{TOKEN}]}}}}}}"),
            f"{IN}.startup.exec.command[1]: contains a GitHub token; add a variable with a "
            "secretRef, and let a shell read it",
        ),
        "Kubernetes' spelling": (
            app("probes: {liveness: {«httpGet: {path: /up, port: 80}}}"),
            f"{IN}.liveness.httpGet: is not supported here; write its `path` and `port` here",
        ),
        "a startup probe elsewhere": (
            app("«startupProbe: {httpGet: {path: /}}"),
            "apps[0].app.startupProbe: is not supported here; use `app.probes.startup`",
        ),
    }
)
def test_a_wrong_probe_is_reported(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


@rows(
    {
        "a liveness probe in a hurry": (
            app("probes: {liveness: «{initialDelaySeconds: 0, periodSeconds: 3}}"),
            f"{IN}.liveness: after 3 failed checks (`initialDelaySeconds` 0, `periodSeconds` 3), "
            "6 s after its start, the container restarts, which an app that is still starting "
            "does not survive; raise `liveness.failureThreshold`, or add a `startup` probe",
        ),
        "liveness before readiness": (
            app("probes: {liveness: «{failureThreshold: 2}, readiness: {initialDelaySeconds: 60}}"),
            f"{IN}.liveness: after 2 failed checks (`initialDelaySeconds` 10, `periodSeconds` "
            "10), 20 s after its start, the container restarts, but readiness waits 60 s for the "
            "app; raise `liveness.failureThreshold`, or add a `startup` probe",
        ),
        "a startup probe with less patience than liveness": (
            app("probes: {startup: «{failureThreshold: 4}, liveness: {initialDelaySeconds: 120}}"),
            f"{IN}.startup: after 4 failed checks (`initialDelaySeconds` 0, `periodSeconds` 5), "
            "15 s after its start, the container restarts, but liveness waits 120 s for the app; "
            "raise `startup.failureThreshold`",
        ),
        "a startup probe with more patience than a rollout": (
            app("probes: {startup: «{periodSeconds: 10, failureThreshold: 90}}"),
            f"{IN}.startup: gives the app 890 s to start, but a rollout counts as failed after "
            "600 s; shorten `periodSeconds` or lower `failureThreshold`",
        ),
        "a secret in a web-app's command": (
            app(
                "env: [{name: KEY, secretRef: keys}]\n"
                "probes: {liveness: {exec: {command: [check, «$(KEY)]}}}"
            ),
            f"{IN}.liveness.exec.command[1]: $(KEY) is empty here, as Kubernetes does not expand "
            "secrets in a probe's command; let a shell read it: "
            '["/bin/sh", "-c", "... $KEY"]',
        ),
    }
)
def test_a_probe_that_hardly_does_what_it_should_is_warned_about(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(text)
    head, _, message = said.partition(": ")
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: {head}: warning: {message}"
    ]


@pytest.mark.parametrize(
    "text",
    [
        app(),
        app("probes: {startup: {}}"),
        app("probes: {startup: {}, liveness: {initialDelaySeconds: 0, failureThreshold: 1}}"),
        app(f"probes: {{liveness: {OFF}, readiness: {{initialDelaySeconds: 60}}}}"),
        of_worker("probes: {liveness: {tcp: {port: 9000}}}"),
        of_worker("probes: {readiness: {tcp: {port: 9000}, initialDelaySeconds: 60}}"),
    ],
)
def test_probes_that_leave_time_to_start_cause_no_warning(tmp_path: Path, text: str) -> None:
    assert warned(tmp_path, text) == []
