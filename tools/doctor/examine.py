"""Checks all servers of a stack in parallel."""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.local_servers import running
from dryrun.recording import Registration, record_stack
from specs.environment import complaints
from specs.fleet import TeamsFolder, load_stack
from specs.problem import Problem
from specs.settings import LEAVE_OUT, PREFIX, Settings
from specs.team import Team
from tools.doctor.cluster_checks import ClusterChecks
from tools.doctor.examination import (
    Check,
    Examination,
    Line,
    Status,
    fail,
    skipped,
)
from tools.doctor.harbor_checks import HarborChecks, Right
from tools.doctor.health_table import table
from tools.doctor.openbao_checks import OpenBaoChecks

PATIENCE = 25  # seconds for all servers together: for one that hangs, not for one that is slow

SERVERS = {"kubernetes": "Kubernetes", "openbao": "OpenBao", "harbor": "Harbor"}
_ADDRESSES = ("KUBECONFIG", "VAULT_ADDR", "HARBOR_URL")


@dataclass(frozen=True)
class Report:
    """What the servers of a stack answered."""

    title: str
    lines: Sequence[Line]

    @property
    def failed(self) -> bool:
        """Whether `up` would fail on something."""
        return any(line.finding.status is Status.FAIL for line in self.lines)

    def __str__(self) -> str:
        return f"{self.title}\n\n{table(self.lines)}"


def doctor(
    root: Path,
    stack: str,
    settings: Settings,
    folder: TeamsFolder,
    targets: Collection[str] = tuple(SERVERS),
) -> tuple[Sequence[Problem], Report | None]:
    """Problems of the teams' files, or the answers of the stack's servers.

    Only the servers in `targets` are checked. If these are not all, each of them must answer.
    Raises ValueError for a wrong `SRE_PLATFORM_LEAVE_OUT`.
    """
    fleet = load_stack(folder, settings)
    if fleet.problems:
        return fleet.problems, None
    title = f"Stack {stack}, on the servers from its settings and the environment."
    sandbox = running(root) if _is_bare(stack) else None
    if sandbox:
        title = f"Stack {stack}, on the servers that `make servers` started."
        os.environ.update(sandbox.environment)
    managed = settings.leaving_out(os.environ.get(LEAVE_OUT, ""))
    # The stack's needs are derived from everything that the program creates, so none is forgotten.
    made = _registrations(root, stack, managed, folder.path)
    asked = managed.leaving_out("harbor") if sandbox else managed
    examinations = _examine(asked, fleet.teams, made, targets)
    lines: list[Line] = []
    for target in targets:
        server = SERVERS[target]
        if target in examinations:
            lines += examinations[target].lines()
        elif getattr(managed.manage, target) and len(targets) < len(SERVERS):
            stood_in = fail("simulated by the sandbox, so there is no server", "set HARBOR_URL")
            lines.append(Line(server, stood_in))
        elif getattr(managed.manage, target):
            lines.append(Line(server, skipped("simulated by the sandbox")))
        elif getattr(settings.manage, target):
            lines.append(Line(server, skipped(f"left out of this run by {LEAVE_OUT}")))
        else:
            lines.append(Line(server, skipped("not managed by this stack")))
    return (), Report(title, lines)


def _is_bare(stack: str) -> bool:
    """Whether it is the sandbox's stack, and the environment names no servers for it."""
    return stack == "dev" and not any(os.environ.get(name) for name in _ADDRESSES)


def _registrations(
    root: Path, stack: str, settings: Settings, tenants: Path
) -> Sequence[Registration]:
    manage = {f"{PREFIX}manage": settings.manage.model_dump(by_alias=True)}
    return record_stack(root, stack, tenants, manage).registrations


def _examine(
    settings: Settings,
    teams: Sequence[Team],
    made: Sequence[Registration],
    targets: Collection[str],
) -> Mapping[str, Examination]:
    """The examinations by target, once all are finished or time is up."""
    objects = [one.inputs for one in made if one.package == "kubernetes"]
    in_openbao = [(one.type, one.inputs) for one in made if one.package == "vault"]
    checks = {
        "kubernetes": ClusterChecks(settings, objects),
        "openbao": OpenBaoChecks(settings, in_openbao),
        "harbor": HarborChecks(settings, teams, _granted(made)),
    }
    wrong = list(complaints(settings))
    examinations = {}
    for target in targets:
        its = checks[target]
        found = [complaint.message for complaint in wrong if complaint.target == target]
        if found or getattr(settings.manage, target):
            needed = [_environment(found)] if found else []
            all_checks = [*needed, *its.checks()]
            examinations[target] = Examination(SERVERS[target], its.trust, all_checks)
    end = time.monotonic() + PATIENCE
    for thread in [examination.start() for examination in examinations.values()]:
        thread.join(max(0, end - time.monotonic()))
    return examinations


def _granted(made: Sequence[Registration]) -> frozenset[Right]:
    """The permissions of the robots that the stack creates."""
    return frozenset(
        (access["resource"], access["action"])
        for one in made
        if one.type == "harbor:index/robotAccount:RobotAccount"
        for permission in one.inputs["permissions"]
        for access in permission["accesses"]
    )


def _environment(wrong: Sequence[str]) -> Check:
    """Environment problems that prevent any check of the server."""
    parts = [message.rpartition("; ") for message in wrong]
    return Check("environment", lambda: [fail(what, do) for what, _, do in parts], gate=True)
