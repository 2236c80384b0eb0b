"""What public charts and releases of well-known apps need, rewritten as files of made-up teams.

`tests/field/` has a file for each; its first line says what kind of app it stands for.
"""

import re
from datetime import date
from pathlib import Path

import pytest

from specs import exception_checks
from specs.load import TeamFile, load_team
from tests.written import dev_settings, marked

FIELD = Path(__file__).parent / "field"
FILES = sorted(FIELD.glob("*.yaml"))

# All that is wrong with what this platform cannot run, by file.
REFUSED: dict[str, list[str]] = {
    "team-camera": [
        "19:7: apps[0].app.resourceClaims: is not supported here; no pod gets a device of its "
        "node; remove it",
        "20:7: apps[0].app.securityContext: is not supported here; each pod is hardened; use "
        "`app.runAs` for its user and groups and `app.writablePaths` for a path to write to, or"
        " remove it",
        "23:41: apps[0].app.resources.limits.nvidia.com/gpu: is not supported here; no pod gets"
        " a device of its node; remove it",
    ],
    "team-engine": [
        "17:26: apps[0].app.env[1].valueFrom: is not supported here; use `secretRef` for a "
        "secret, `value` for text; a pod's own fields have no key",
    ],
    "team-home": [
        "10:7: apps[0].app.hostNetwork: is not supported here; a pod shares nothing with its "
        "node; remove it",
        "11:7: apps[0].app.dnsPolicy: is not supported here; remove it",
        "12:7: apps[0].app.podAnnotations: is not supported here; the platform sets labels and "
        "annotations; remove it",
    ],
    "team-names": [
        "10:47: apps[0].app.ports[0].protocol: 'udp' is not one of http, http2, grpc, tcp, tls;"
        " use http, http2, grpc, tcp or tls",
        "19:16: apps[0].exceptions[0].allow: 'NET_ADMIN' is never allowed: the only "
        "capabilities are AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, "
        "NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT; remove the exception, "
        "and have the app run without it",
    ],
    "team-nodes": [
        "11:7: apps[0].app.hostNetwork: is not supported here; a pod shares nothing with its "
        "node; remove it",
        "12:7: apps[0].app.hostPID: is not supported here; a pod shares nothing with its node; "
        "remove it",
        "13:7: apps[0].app.tolerations: is not supported here; the platform places the pods; "
        "remove it",
        "14:17: apps[0].app.volumes[0].size: is missing; add it, such as `size: 10Gi`",
        "14:48: apps[0].app.volumes[0].hostPath: is not supported here; no pod sees its node's "
        "disk; remove the volume",
    ],
    "team-quality": [
        "17:11: apps[0].app.init[0].securityContext: is not supported here; it is hardened like"
        " the app; remove it",
    ],
    "team-queue": [
        "20:17: apps[0].app.volumes[0].accessMode: ReadWriteOnce allows one pod at a time; set "
        "app.replicas to 1 and podDisruptionBudget.enabled to false, or write ReadWriteMany if "
        "the storage class has it",
    ],
    "team-reader": [
        "9:21: apps[0].app.runAs.user: 0 is below 1, and no pod runs as root; write 1 or more, "
        "such as 10001",
        "9:31: apps[0].app.runAs.group: 0 is below 1, and no pod runs as root; write 1 or more,"
        " such as 10001",
    ],
    "team-runners": [
        "10:7: apps[0].app.automountServiceAccountToken: is not supported here; pods get no "
        "token; remove it",
        "13:5: apps[0].rbac: is not supported here; an app gets no rights in the cluster; "
        "remove it",
    ],
    "team-share": [
        "20:7: apps[0].app.sidecars: is not supported here; an app has one container; write a "
        "second one as another app",
    ],
    "team-worlds": [
        "10:17: apps[0].app.protocol: 'udp' is not one of http, http2, grpc, tcp, tls; use "
        "http, http2, grpc, tcp or tls",
        "18:5: apps[0].service: is not supported here; a web-app's Service is for the cluster "
        "alone; use `app.servicePort` for its port",
    ],
}

# A day on which the files' exceptions still hold.
BEFORE_THE_EXCEPTIONS_END = date(2026, 12, 1)

ACCEPTED = [file for file in FILES if file.stem not in REFUSED]


@pytest.fixture(autouse=True)
def _before_the_exceptions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exception_checks, "today", lambda: BEFORE_THE_EXCEPTIONS_END)


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.stem)
def test_what_can_be_right_is_accepted(file: Path) -> None:
    loaded = _loaded(file)
    assert [str(problem) for problem in loaded.problems] == []
    assert marked(loaded.source.data) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_with_the_true_reason(name: str) -> None:
    problems = _loaded(FIELD / f"{name}.yaml").problems
    assert [str(problem) for problem in problems] == [f"{name}:{said}" for said in REFUSED[name]]


def test_each_file_says_what_kind_of_app_it_stands_for() -> None:
    for file in FILES:
        assert re.match(r"# An? [^\n]+\.\n|# [A-Z][^\n]+\.\n", file.read_text("utf-8")), file


def _loaded(file: Path) -> TeamFile:
    return load_team(file, file.stem, dev_settings())
