"""Exceptions from the hardening: who may have which, until when, and what they change in a pod."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from specs import exception_checks
from specs.exceptions import ALLOWED, CAPABILITIES
from tests.conftest import Program
from tests.program import CRON_JOB, DEPLOYMENT
from tests.written import accepted, app, place, reported, rows, warned

TODAY = date(2027, 3, 1)
IN = "apps[0].exceptions[0]"


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exception_checks, "today", lambda: TODAY)


def one(allow: str = "writableRootFilesystem", until: str = "2027-12-31", **changes: str) -> str:
    """An entry of `exceptions`."""
    keys = {"reason": "needs it", "ticket": "SEC-12", "approvedBy": "jane@example.com"} | changes
    said = ", ".join(f"{key}: {value}" for key, value in keys.items() if value)
    return f"{{allow: {allow}, {said}, until: {until}}}"


def excepted(*exceptions: str, port: int = 8080, archetype: str = "web-app") -> str:
    listed = "".join(f"  - {each}\n" for each in exceptions)
    in_app = f"port: {port}" if archetype == "web-app" else ""
    beside = f"exceptions:\n{listed}" if listed else ""
    return app(in_app, beside, archetype=archetype)


RENEW = "have it approved again and set a later date, or remove it and what needs it"
WITHOUT = "remove the exception, and have the app run without it"


@rows(
    {
        "expired": (
            excepted(one(until="«2027-02-28")),
            f"{IN}.until: the exception expired on 2027-02-28; {RENEW}",
        ),
        "not a date": (
            excepted(one(until="«soon")),
            f"{IN}.until: 'soon' is not a date; write one such as 2027-03-31",
        ),
        "a day that does not exist": (
            excepted(one(until="«2027-02-30")),
            f"{IN}.until: '2027-02-30' is not a date; write one such as 2027-03-31",
        ),
        "a time": (
            excepted(one(until="«2027-12-31T10:00:00Z")),
            f"{IN}.until: '2027-12-31 10:00:00+00:00' is not a date; write one such as 2027-03-31",
        ),
        "without an end": (
            excepted("«{allow: CHOWN, reason: a, ticket: b, approvedBy: c}"),
            f"{IN}.until: is missing; add it, such as `until: 2027-03-31`",
        ),
        "without an owner": (
            excepted(one(approvedBy="«' '")),
            f"{IN}.approvedBy: is empty; write some text",
        ),
        "without a reason": (
            excepted(one(reason="«''")),
            f"{IN}.reason: is empty; write some text",
        ),
        "without a ticket": (
            excepted("«{allow: CHOWN, reason: a, approvedBy: c, until: 2027-12-31}"),
            f"{IN}.ticket: is missing; add it, such as `ticket: SEC-12`",
        ),
        "too much said": (
            excepted(one(reason="«" + "x" * 1001)),
            f"{IN}.reason: has 1001 characters, but at most 1000 fit; shorten it",
        ),
        "twice the same": (
            excepted(one("CHOWN"), one("«CHOWN", until="2027-10-31")),
            "apps[0].exceptions[1].allow: 'CHOWN' is listed twice; remove one",
        ),
        "privileged": (
            excepted(one("«privileged")),
            f"{IN}.allow: 'privileged' is never allowed: a privileged container is root on its "
            f"node; {WITHOUT}",
        ),
        "root": (
            excepted(one("«runAsRoot")),
            f"{IN}.allow: 'runAsRoot' is never allowed: a pod never runs as root; {WITHOUT}",
        ),
        "a namespace of the node": (
            excepted(one("«hostNetwork")),
            f"{IN}.allow: 'hostNetwork' is never allowed: a pod never shares its node's namespaces "
            f"or ports; {WITHOUT}",
        ),
        "the node's disk": (
            excepted(one("«hostPath")),
            f"{IN}.allow: 'hostPath' is never allowed: a pod never sees its node's disk; {WITHOUT}",
        ),
        "a capability that baseline does not have": (
            excepted(one("«SYS_ADMIN")),
            f"{IN}.allow: 'SYS_ADMIN' is never allowed: the only capabilities are "
            f"{', '.join(CAPABILITIES)}; {WITHOUT}",
        ),
        "all capabilities": (
            excepted(one("«ALL")),
            f"{IN}.allow: 'ALL' is never allowed: the only capabilities are "
            f"{', '.join(CAPABILITIES)}; {WITHOUT}",
        ),
        "a capability with the kernel's prefix": (
            excepted(one("«CAP_CHOWN")),
            f"{IN}.allow: 'CAP_CHOWN' is not how a capability is written; write CHOWN",
        ),
        "a capability that says so": (
            excepted(one("«capability:net_bind_service")),
            f"{IN}.allow: 'capability:net_bind_service' is not how a capability is written; write "
            "NET_BIND_SERVICE",
        ),
        "misspelt": (
            excepted(one("«writableRootFileSystems")),
            f"{IN}.allow: 'writableRootFileSystems' cannot be allowed; did you mean "
            "writableRootFilesystem?",
        ),
        "something else": (
            excepted(one("«everything")),
            f"{IN}.allow: 'everything' cannot be allowed; use writableRootFilesystem, "
            f"privilegedPort or a capability: {', '.join(CAPABILITIES)}",
        ),
    }
)
def test_what_is_wrong_is_reported_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_a_credential_in_it_is_reported_and_not_repeated(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    (line,) = reported(tmp_path, excepted(one(reason=f"see {token}")))
    assert "exceptions[0].reason: contains a GitHub token" in line
    assert token not in line


def test_all_of_a_wrong_file_s_exceptions_are_reported_at_once(tmp_path: Path) -> None:
    lines = reported(tmp_path, excepted(one("root", until="never"), one(until="2027-02-28")))
    assert [line.split(": ")[1] for line in lines] == [
        f"{IN}.allow",
        f"{IN}.until",
        "apps[0].exceptions[1].until",
    ]


@pytest.mark.parametrize("until", ["2027-03-01", "'2027-03-01'", "9999-12-31"])
def test_it_holds_up_to_and_on_its_last_day(tmp_path: Path, until: str) -> None:
    (team_app,) = accepted(tmp_path, excepted(one(until=until))).apps
    assert team_app.exceptions[0].until == date.fromisoformat(until.strip("'"))


@pytest.mark.parametrize("allow", ALLOWED)
def test_each_that_can_be_allowed_is(tmp_path: Path, allow: str) -> None:
    assert accepted(tmp_path, excepted(one(allow)))


def test_the_stack_says_how_far_ahead_an_exception_may_end(tmp_path: Path) -> None:
    (line,) = reported(tmp_path, excepted(one(until="2027-03-12")), exceptionMaxDays=10)
    assert line.endswith(
        f"{IN}.until: 2027-03-12 is 11 days ahead, but this stack allows at most 10 "
        "(sre-platform:exceptionMaxDays); set an earlier date"
    )
    assert reported(tmp_path, excepted(one(until="2027-03-11")), exceptionMaxDays=10) == []


@pytest.mark.parametrize(
    ("until", "said"),
    [("2027-03-01", "today"), ("2027-03-02", "in 1 day"), ("2027-03-31", "in 30 days")],
)
def test_an_exception_that_expires_soon_causes_a_warning(
    tmp_path: Path, until: str, said: str
) -> None:
    (line,) = warned(tmp_path, excepted(one(until=until)))
    assert f"{IN}.until: warning: the exception expires {said}; {RENEW}" in line


def test_an_exception_that_expires_later_does_not(tmp_path: Path) -> None:
    assert warned(tmp_path, excepted(one(until="2027-04-01"))) == []


@pytest.mark.parametrize("allow", ["privilegedPort", "NET_BIND_SERVICE"])
def test_an_exception_for_low_ports_without_one_causes_a_warning(
    tmp_path: Path, allow: str
) -> None:
    (line,) = warned(tmp_path, excepted(one(allow)))
    assert line.endswith(
        f"{IN}.allow: warning: is not needed: no port of the app is below 1024; remove the "
        "exception"
    )
    assert warned(tmp_path, excepted(one(allow), port=80)) == []


def pod(program: Program, *exceptions: str, port: int = 8080) -> dict[str, Any]:
    made = program(excepted(*exceptions, port=port))
    return copy.deepcopy(made.one(DEPLOYMENT, "team-alpha/my-api").pod)


HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}


def test_a_writable_root_file_system_is_all_that_changes(program: Program) -> None:
    made, plain = pod(program, one()), pod(program)
    assert plain["containers"][0]["securityContext"] == HARDENED
    (container,) = made["containers"]
    assert container.pop("securityContext") == {**HARDENED, "readOnlyRootFilesystem": False}
    plain["containers"][0].pop("securityContext")
    assert made == plain


def test_capabilities_are_added_to_what_drops_all(program: Program) -> None:
    (container,) = pod(program, one("SETUID"), one("CHOWN"))["containers"]
    assert container["securityContext"] == {
        **HARDENED,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "SETUID"]},
    }


def test_a_privileged_port_opens_no_lower_port_than_the_app_s(program: Program) -> None:
    made = pod(program, one("privilegedPort"), port=443)
    assert made["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "443"}
    ]
    assert made["containers"][0]["securityContext"] == HARDENED
    assert "sysctls" not in pod(program, one("privilegedPort"))["securityContext"]


@pytest.mark.parametrize(("archetype", "kind"), [("worker", DEPLOYMENT), ("cronjob", CRON_JOB)])
def test_every_archetype_has_them_and_its_object_says_which(
    program: Program, archetype: str, kind: str
) -> None:
    made = program(excepted(one(), archetype=archetype)).one(kind, "team-alpha/my-api")
    assert made.container["securityContext"]["readOnlyRootFilesystem"] is False
    assert json.loads(made.metadata["annotations"]["sre.io/exceptions"]) == [
        {
            "allow": "writableRootFilesystem",
            "reason": "needs it",
            "ticket": "SEC-12",
            "approvedBy": "jane@example.com",
            "until": "2027-12-31",
        }
    ]
    assert "sre.io/exceptions" not in made.pod_template["metadata"]["annotations"]


def test_a_later_end_restarts_no_pod(program: Program) -> None:
    before, after = (
        program(excepted(one(until=until))).one(DEPLOYMENT, "team-alpha/my-api")
        for until in ("2027-11-30", "2027-12-31")
    )
    assert before.metadata != after.metadata
    assert before.spec == after.spec


def test_a_stack_with_an_expired_one_changes_nothing(program: Program) -> None:
    with pytest.raises(Exception, match="the exception expired on 2026-11-01"):
        program(excepted(one(until="2026-11-01")))
