"""The stand-in for Harbor."""

import re
import secrets
import string

from sandbox.package import (
    InputProblem,
    Properties,
    known,
    registered_types,
)
from sandbox.servers.registry_users import RegistryUsers
from sandbox.world import World, WorldKey

PROJECT = "project:Project"
ROBOT = "robotAccount:RobotAccount"
RETENTION = "retentionPolicy:RetentionPolicy"
MEMBER_GROUP = "projectMemberGroup:ProjectMemberGroup"
IMMUTABLE_TAG = "immutableTagRule:ImmutableTagRule"

PATTERNS = ("repoMatching", "repoExcluding", "tagMatching", "tagExcluding")
COMPUTED = ("projectId", "robotId", "fullName", "secret", "memberId")
REPLACED_BY = {
    PROJECT: ("name", "registryId"),
    ROBOT: ("name", "level"),
    RETENTION: ("scope",),
    MEMBER_GROUP: ("projectId", "groupName", "type"),
    IMMUTABLE_TAG: ("projectId",),
}
# Harbor's rule for a project's name; it rejects capitals.
project_name = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
schedule = re.compile(r"Hourly|Daily|Weekly|\S+( \S+){5}|")


class SimulatedHarbor:
    """A Harbor without images, where groups can be members (OIDC).

    Its robots may log in to the `registry`, if there is one.
    """

    def __init__(self, registry: RegistryUsers | None = None) -> None:
        self._registry = registry
        types = registered_types("pulumiverse_harbor", "harbor")
        self._types = frozenset(kind.removeprefix("index/") for kind in types)

    def knows(self, kind: str) -> bool:
        return kind.removeprefix("index/") in self._types

    def problems(self, kind: str, inputs: Properties) -> list[InputProblem]:
        kind = kind.removeprefix("index/")
        if kind in (PROJECT, ROBOT) and not inputs.get("name"):
            return [InputProblem("name", "missing; every object has an explicit name")]
        problems = []
        name = known(inputs.get("name"))
        if kind == PROJECT and name and not project_name.fullmatch(name):
            reason = f"{name!r} is not a Harbor project name: lower case letters, digits, '.-_'"
            problems.append(InputProblem("name", reason))
        secret = known(inputs.get("secret"))
        if kind == ROBOT and secret and not _strong(secret):
            reason = "secret: needs 8 to 128 characters with an upper, a lower and a digit"
            problems.append(InputProblem("", reason))
        times = known(inputs.get("schedule"))
        if kind == RETENTION and times is not None and not schedule.fullmatch(times):
            reason = f"{times!r} is not Hourly, Daily, Weekly or a cron expression of six fields"
            problems.append(InputProblem("schedule", reason))
        return problems

    def key(self, kind: str, inputs: Properties) -> WorldKey | None:
        kind = kind.removeprefix("index/")
        name = known(inputs.get("name"))
        if kind == PROJECT:
            return WorldKey("Harbor project", name) if name else None
        if kind == ROBOT:
            full_name = _full_name(inputs)
            return WorldKey("Harbor robot", full_name) if full_name else None
        if kind == RETENTION:
            scope = known(inputs.get("scope"))
            return WorldKey("Harbor retention policy of", scope) if scope else None
        project, group = known(inputs.get("projectId")), known(inputs.get("groupName"))
        if kind == MEMBER_GROUP and project and group:
            return WorldKey("Harbor project member", f"{project}: {group}")
        if kind == IMMUTABLE_TAG and project:
            patterns = [str(inputs.get(name)) for name in PATTERNS]
            return WorldKey("Harbor immutable tag rule", f"{project}: {' '.join(patterns)}")
        return None

    def container(self, kind: str, inputs: Properties, world: World) -> WorldKey | None:
        if kind.removeprefix("index/") == ROBOT:
            project = _project_of(inputs)
            return WorldKey("Harbor project", project) if project else None
        id = known(inputs.get("projectId")) or known(inputs.get("scope"))
        return world.find("Harbor project", id) if id else None

    def replaced_by(self, kind: str) -> tuple[str, ...]:
        return REPLACED_BY.get(kind.removeprefix("index/"), ("name",))

    def create(self, kind: str, inputs: Properties, world: World) -> tuple[str, Properties]:
        kind = kind.removeprefix("index/")
        prefix = {
            PROJECT: "/projects/",
            ROBOT: "/robots/",
            RETENTION: "/retentions/",
            MEMBER_GROUP: f"{inputs.get('projectId')}/members/",
            IMMUTABLE_TAG: f"{inputs.get('projectId')}/immutabletagrules/",
        }.get(kind, f"/{kind.partition(':')[0]}/")
        number = world.next_number(prefix)
        computed: Properties = {}
        if kind == PROJECT:
            computed = {"projectId": number}
        elif kind == ROBOT:
            name, secret = _full_name(inputs), known(inputs.get("secret")) or _new_secret()
            computed = {"robotId": str(number), "fullName": name, "secret": secret}
            if self._registry and name:
                self._registry.add(name, secret)
        elif kind == MEMBER_GROUP:
            computed = {"memberId": number}
        return f"{prefix}{number}", {**computed, **inputs}

    def update(self, kind: str, old: Properties, inputs: Properties) -> Properties:
        return {**{name: old[name] for name in COMPUTED if name in old}, **inputs}


def _project_of(robot: Properties) -> str | None:
    """The project of a robot with level "project"; a robot of the whole registry has none."""
    permissions = robot.get("permissions")
    if robot.get("level") != "project" or not isinstance(permissions, list) or not permissions:
        return None
    return known(permissions[0].get("namespace"))


def _full_name(robot: Properties) -> str | None:
    name, project = known(robot.get("name")), _project_of(robot)
    if not name or (robot.get("level") == "project" and not project):
        return None
    return f"robot${project}+{name}" if project else f"robot${name}"


def _strong(secret: str) -> bool:
    return (
        8 <= len(secret) <= 128
        and any(c.isupper() for c in secret)
        and any(c.islower() for c in secret)
        and any(c.isdigit() for c in secret)
    )


def _new_secret() -> str:
    alphabet = string.ascii_letters + string.digits
    while not _strong(secret := "".join(secrets.choice(alphabet) for _ in range(32))):
        pass
    return secret
