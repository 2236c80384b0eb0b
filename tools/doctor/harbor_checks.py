"""What the stack needs from Harbor."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clients.harbor import Harbor, harbor_of
from clients.http import RefusedError
from specs.settings import Settings
from specs.team import Team
from tools.doctor.examination import (
    Check,
    Outcome,
    fail,
    ok,
    tls,
    warn,
)

OLDEST = (2, 5)  # supports Cosign's signatures, which projects enforce
_GROUP_LOGINS = {"ldap_auth": "LDAP", "uaa_auth": "UAA"}
_GIB = 2**30
_AT_ONCE = 8  # parallel questions to Harbor

Right = tuple[str, str]  # a resource, and an action on it
_SYSTEM, _ALL_PROJECTS = "/", "*"  # the scope of a right; otherwise a project, by its name

# What a robot needs to run the program: in the system, and in each team's project.
_IN_SYSTEM: frozenset[Right] = frozenset({("project", "create")})
_IN_PROJECT: frozenset[Right] = frozenset({
    *(("project", action) for action in ("read", "update", "delete")),
    *(("robot", action) for action in ("create", "read", "delete")),
    *(("tag-retention", action) for action in ("create", "read", "update", "delete")),
})  # fmt: skip
_FOR_GROUPS: frozenset[Right] = frozenset(
    ("member", action) for action in ("create", "read", "update", "delete")
)


class HarborChecks:
    """`teams` have projects that the stack creates; `granted` are their robots' permissions."""

    trust = "SSL_CERT_FILE"

    def __init__(
        self, settings: Settings, teams: Sequence[Team], granted: frozenset[Right]
    ) -> None:
        self._settings = settings
        self._teams = teams
        self._granted = granted
        self._harbor: Harbor

    def checks(self) -> Iterator[Check]:
        """In the order in which to run them."""
        yield Check("reachable", self._reachable, gate=True)
        yield Check("TLS", self._tls)
        yield Check("credentials", self._credentials, gate=True)
        yield Check("version", self._version)
        if self._settings.harbor.map_groups:
            yield Check("groups", self._groups)
        yield Check("components", self._components)
        yield Check("scanner", self._scanner)
        if self._teams:
            yield Check("storage quotas", self._quotas)

    def _reachable(self) -> Iterator[Outcome]:
        self._harbor = harbor_of(self._settings.harbor, retries=1)
        self._harbor.get("systeminfo")
        yield ok(self._harbor.address)

    def _tls(self) -> Iterator[Outcome]:
        unverified = warn(
            "not verified: sre-platform:harbor.insecure", "name the CA in SSL_CERT_FILE instead"
        )
        off = unverified if self._settings.harbor.insecure else None
        yield tls(self._harbor.address, "the password travels", off)

    def _credentials(self) -> Iterator[Outcome]:
        try:
            user = self._harbor.get("users/current")
        except RefusedError as refusal:
            if refusal.status == 401:
                yield fail("Harbor does not accept them", "fix HARBOR_USERNAME and HARBOR_PASSWORD")
            elif refusal.status == 412:  # a valid login that belongs to no user
                yield from self._robot()
            else:
                raise
            return
        if user.get("sysadmin_flag") or user.get("admin_role_in_auth"):
            yield ok(f"{user['username']}, an administrator")
        else:
            yield fail(
                f"{user['username']} is not an administrator",
                "use one: other users cannot create projects with quotas and robots",
            )

    def _robot(self) -> Iterator[Outcome]:
        name = os.environ["HARBOR_USERNAME"]
        if "+" in name:  # as in robot$library+ci
            yield fail(f"{name} is a robot of a single project", "use an administrator")
            return
        permissions = self._permissions(name)
        if permissions is None:
            yield warn(
                f"{name} is a robot whose rights cannot be read: `up` may be refused",
                "let it list system robots, or use an administrator",
            )
        elif lacking := self._lacking(permissions):
            yield fail(
                f"{name} is a robot that cannot {lacking}", "grant it, or use an administrator"
            )
            return
        yield warn(
            f"{name} is a robot: `up` reports changed storage quotas, but does not change them",
            "use an administrator, or set quotas in Harbor",
        )

    def _permissions(self, robot: str) -> Sequence[Mapping[str, Any]] | None:
        """None if it may not list robots, including itself."""
        try:
            robots = self._harbor.get("robots", {"page_size": "100"}) or ()
        except RefusedError as refusal:
            if refusal.status not in (401, 403):
                raise
            return None
        return next((one.get("permissions") or () for one in robots if one["name"] == robot), None)

    def _lacking(self, permissions: Sequence[Mapping[str, Any]]) -> str:
        """What the program does and these do not allow, such as `create project`."""
        rights: dict[str, set[Right]] = defaultdict(set)
        for one in permissions:
            granted = one.get("access") or ()
            rights[one["namespace"]] |= {(each["resource"], each["action"]) for each in granted}
        # A robot cannot grant rights that it does not have itself.
        needed = _IN_PROJECT | self._granted
        if self._settings.harbor.map_groups:
            needed |= _FOR_GROUPS
        lacking = set(_IN_SYSTEM - rights[_SYSTEM])
        for team in self._teams:
            lacking |= needed - rights[_ALL_PROJECTS] - rights[team.name]
        return ", ".join(f"{action} {resource}" for resource, action in sorted(lacking))

    def _version(self) -> Iterator[Outcome]:
        version = str(self._harbor.get("systeminfo").get("harbor_version", ""))
        numbers = re.match(r"v?(\d+)\.(\d+)", version)
        if not numbers:
            yield warn("unknown", f"check that it is {OLDEST[0]}.{OLDEST[1]} or newer")
        elif (int(numbers[1]), int(numbers[2])) >= OLDEST:
            yield ok(version)
        else:
            yield fail(version, f"upgrade to Harbor {OLDEST[0]}.{OLDEST[1]} or newer")

    def _groups(self) -> Iterator[Outcome]:
        mode = self._harbor.get("systeminfo")["auth_mode"]
        if mode == "oidc_auth":
            yield ok("logins by OIDC")
        elif other := _GROUP_LOGINS.get(mode):
            yield warn(
                f"logins by {other}, but the program adds OIDC groups as members",
                "check that they work, or set sre-platform:harbor.mapGroups to false",
            )
        else:
            yield fail(
                "Harbor uses its own accounts, so it has no groups",
                "configure OIDC logins, or set sre-platform:harbor.mapGroups to false",
            )

    def _components(self) -> Iterator[Outcome]:
        health = {one["name"]: one["status"] for one in self._harbor.get("health")["components"]}
        ill = sorted(name for name, status in health.items() if status != "healthy")
        if ill:
            yield fail(f"not healthy: {', '.join(ill)}", "check their logs")
        if "jobservice" not in health:
            yield fail("no jobservice", "start it: retention needs it")
        elif not ill:
            yield ok(f"healthy: {', '.join(sorted(health))}")

    def _scanner(self) -> Iterator[Outcome]:
        scanners = self._harbor.get("scanners") or []
        default = next((one for one in scanners if one.get("is_default")), None)
        if default and not default.get("disabled"):
            yield ok(str(default["name"]))
        else:
            yield warn("no default scanner: images are not scanned on push", "add one")

    def _quotas(self) -> Iterator[Outcome]:
        """Pulumi never sees them (docs/operations.md, Drift)."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            limits = list(pool.map(self._limit, self._teams))
        same = 0
        for team, limit in zip(self._teams, limits, strict=True):
            wanted = team.registry.storage_quota
            if limit is not None and limit != wanted * _GIB:
                there = "no limit" if limit < 0 else f"{limit / _GIB:g} GiB"
                yield warn(
                    f"{team.name} has {there}, but its file says {wanted} GiB; Pulumi does "
                    "not detect it",
                    "set it in Harbor",
                )
            same += limit == wanted * _GIB
        missing = limits.count(None)
        yield ok(
            f"{same} as in the team files"
            + (f"; {missing} will be created by this stack" if missing else "")
        )

    def _limit(self, team: Team) -> int | None:
        """Bytes, -1 for no limit; None for a project that does not exist yet."""
        try:
            project = self._harbor.get(f"projects/{team.name}")
        except RefusedError as refusal:
            # To users who may not see it, a project that does not exist is forbidden.
            if refusal.status in (403, 404):
                return None
            raise
        number = str(project["project_id"])
        quotas = self._harbor.get("quotas", {"reference": "project", "reference_id": number})
        return int(quotas[0]["hard"]["storage"])
