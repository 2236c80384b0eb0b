"""A team's file: who has access, how much it may use, its registry project and its apps."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from specs import names
from specs.app import AnyApp, WebApp
from specs.base import (
    ClusterRole,
    Count,
    Cpu,
    Memory,
    Spec,
    Storage,
    checked,
    cpu,
    memory,
    within,
)
from specs.default_alerts import TeamAlerts
from specs.labels import ChosenAnnotation, ChosenLabel, LabelValue

_MOST_GIB = 2**33 - 1  # Harbor counts bytes in an int64
_LONGEST_GROUP = 255  # goharbor/harbor: make/migrations/postgresql, user_group.group_name
_MOST_DAYS = 2**31 - 2  # goharbor/harbor: src/server/v2.0/handler/robot.go, isValidDuration
_MOST_KEPT = 2**15 - 2  # goharbor/harbor: src/pkg/retention/policy/rule/latestps, Valid


def _check_group(value: str) -> None:
    if not value.strip() or value != value.strip():
        raise ValueError(
            f"'{value}' is not a group's name; write one such as team-alpha-developers"
        )
    if len(value) > _LONGEST_GROUP:
        raise ValueError(
            f"has {len(value)} characters, but Harbor allows at most {_LONGEST_GROUP}; shorten it"
        )
    if value.startswith("system:"):
        raise ValueError(f"'{value}' is Kubernetes' own group; name a Keycloak group")


def _check_duration(value: int) -> int:
    if value == 0 or value < -1 or value > _MOST_DAYS:
        raise ValueError(f"{value} is not a lifetime; write days, or -1 for no expiry")
    return value


TeamName = Annotated[
    str, checked(names.check_team_name, names.TEAM_NAME, maxLength=names.DNS_LABEL_MAX)
]
Group = Annotated[
    str, checked(_check_group, r"(?!system:)\S([\s\S]*\S)?", maxLength=_LONGEST_GROUP)
]
# -1 is Harbor's "no limit", which a platform for many teams does not offer.
Gibibytes = Annotated[
    int,
    within(
        1,
        _MOST_GIB,
        "is not a size; write whole GiB, 1 or more",
        "GiB is too large for Harbor; lower it",
    ),
]
Kept = Annotated[
    int,
    within(1, _MOST_KEPT, "is below 1; write 1 or more", "is too large for Harbor; lower it"),
]
Days = Annotated[
    int,
    AfterValidator(_check_duration),
    WithJsonSchema(
        {"type": "integer", "anyOf": [{"const": -1}, {"minimum": 1, "maximum": _MOST_DAYS}]}
    ),
]


class Namespace(Spec):
    """Labels and annotations of the Namespace `<team>`, within what the stack allows."""

    labels: dict[ChosenLabel, LabelValue] = Field(
        default_factory=dict,
        description="Labels that the platform's policies require; the stack lists those "
        "that may be set "
        "(`namespace.allowedLabels`).",
        examples=["{sre.io/security-categorization: moderate}"],
    )
    annotations: dict[ChosenAnnotation, str] = Field(
        default_factory=dict,
        description="Annotations; the stack lists those that may "
        "be set (`namespace.allowedAnnotations`). Nothing secret: viewers can read them.",
        examples=['{example.com/on-call: "shop@example.com"}'],
    )
    internal_traffic: Literal["open", "declared"] = Field(
        "open",
        description="`open`: the team's apps may call each other. `declared`: only as their "
        "`calls` say; requires `istio.authorization: enforce` in the stack.",
    )


class Access(Spec):
    """Keycloak groups and what they may do."""

    developers: tuple[Group, ...] | None = Field(
        None,
        description="Groups that may change the namespace's objects (`edit`), push images, and "
        "read the team's secrets (or store them: `openbao.developerAccess` of the stack); default: "
        "`<team>-developers`.",
        examples=["[team-alpha-developers]"],
    )
    viewers: tuple[Group, ...] | None = Field(
        None,
        description="Groups that may only read (`view`; `guest` in Harbor); default: "
        "`<team>-viewers`.",
        examples=["[team-alpha-viewers]"],
    )
    roles: dict[Group, ClusterRole] = Field(
        default_factory=dict,
        description="Further groups, each with its ClusterRole in the namespace; the stack lists "
        "the roles that may be given (`kubernetes.groupRoles`). No access to Harbor or OpenBao.",
        examples=["{team-alpha-auditors: view}"],
    )


class QuotaRequests(Spec):
    """Sum of what all pods request, and all volumes."""

    cpu: Cpu | None = Field(cpu("4"), description="Cores; null: no limit.")
    memory: Memory | None = Field(memory("8Gi"), description="Bytes; null: no limit.")
    storage: Storage | None = Field(
        None,
        description="Total size of all PersistentVolumeClaims; default: no limit.",
        examples=["100Gi"],
    )


class QuotaLimits(Spec):
    """Total limits of all pods."""

    cpu: Cpu | None = Field(cpu("8"), description="Cores; null: no limit.")
    memory: Memory | None = Field(memory("16Gi"), description="Bytes; null: no limit.")


class Quota(Spec):
    """The ResourceQuota `<team>-quota`: what the whole namespace may use."""

    requests: QuotaRequests = Field(
        QuotaRequests(), description="Total requests of pods and volumes."
    )
    limits: QuotaLimits = Field(QuotaLimits(), description="Total limits of all pods.")
    pods: Count | None = Field(20, description="Number of pods; null: no limit.")
    services: Count | None = Field(10, description="Number of Services; null: no limit.")
    persistentvolumeclaims: Count | None = Field(
        10, description="Number of PersistentVolumeClaims; null: no limit."
    )


class ContainerDefault(Spec):
    """Limits of a container that sets none."""

    cpu: Cpu = Field(cpu("500m"), description="Cores.")
    memory: Memory = Field(memory("512Mi"), description="Bytes.")


class ContainerDefaultRequest(Spec):
    """Requests of a container that sets none."""

    cpu: Cpu = Field(cpu("100m"), description="Cores.")
    memory: Memory = Field(memory("128Mi"), description="Bytes.")


class ContainerMax(Spec):
    """Most that a container may have as limit."""

    cpu: Cpu = Field(cpu("2"), description="Cores.")
    memory: Memory = Field(memory("4Gi"), description="Bytes.")


class ContainerMin(Spec):
    """Least that a container may request."""

    cpu: Cpu | None = Field(cpu("50m"), description="Cores; null: no minimum.")
    memory: Memory | None = Field(memory("64Mi"), description="Bytes; null: no minimum.")


class LimitRange(Spec):
    """The LimitRange `<team>-limits`: bounds and defaults of each container."""

    default: ContainerDefault = Field(
        ContainerDefault(), description="Limits of a container that sets none."
    )
    default_request: ContainerDefaultRequest = Field(
        ContainerDefaultRequest(), description="Requests of a container that sets none."
    )
    max: ContainerMax = Field(ContainerMax(), description="Highest limit that a container may set.")
    min: ContainerMin = Field(
        ContainerMin(), description="Lowest request that a container may set."
    )


class Retention(Spec):
    """Which images Harbor keeps; it deletes the others on schedule."""

    schedule: Literal["Hourly", "Daily", "Weekly"] = Field(
        "Daily", description="How often images are cleaned up."
    )
    most_recently_pushed: Kept = Field(
        20,
        description="Number of images to keep in each repository: the most recently pushed, in "
        "use or not. Keep more than the number of versions of one repository that run at "
        "the same time.",
    )


class Signatures(Spec):
    """Whether Harbor serves signed images only."""

    enforce: bool = Field(
        True, description="Refuse pulls of images without a Cosign signature, for everyone."
    )
    reason: str | None = Field(
        None,
        description="Why it is off; required when it is.",
        examples=['"migration until 2027-01-31, ticket SEC-12"'],
    )


class Robots(Spec):
    """The two robot accounts: one that pushes (CI) and one that pulls (the cluster)."""

    duration: Days = Field(-1, description="Days until the credentials expire; -1 for never.")


class Registry(Spec):
    """The Harbor project `<team>`: private, scanned on push."""

    storage_quota: Gibibytes = Field(50, description="Storage quota of the project, in whole GiB.")
    retention: Retention = Field(Retention(), description="Which images to keep.")
    signatures: Signatures = Field(Signatures(), description="Cosign enforcement.")
    robots: Robots = Field(Robots(), description="Accounts for CI and the cluster.")


class Team(Spec):
    """A team's file, `tenants/<team>.yaml`."""

    team: TeamName = Field(
        description="Name of the team: file name, namespace, Harbor project and OpenBao prefix. "
        "Lower-case letters, digits and single hyphens; not a number, and not a word such as "
        "`no` or `null` that YAML does not read as text.",
        examples=["team-alpha"],
    )
    lifecycle: Literal["active", "suspended", "offboarding"] = Field(
        "active",
        description="`suspended`: nothing runs, access and data stay. `offboarding`: access is "
        "revoked, apps are gone, data stays and is no longer protected; then the file may go.",
    )
    namespace: Namespace = Field(
        Namespace(), description="Labels and annotations of the namespace."
    )
    access: Access = Field(Access(), description="Keycloak groups.")
    quota: Quota = Field(Quota(), description="Limits for the whole namespace.")
    limit_range: LimitRange = Field(LimitRange(), description="Bounds of each container.")
    registry: Registry = Field(Registry(), description="The Harbor project.")
    default_alerts: TeamAlerts = Field(
        TeamAlerts(),
        description="Alerts that the team has without asking for them; each can be switched off.",
    )
    apps: tuple[AnyApp, ...] = Field((), description="The team's apps.")

    @property
    def name(self) -> str:
        """Name of the team."""
        return self.team

    @property
    def quota_name(self) -> str:
        """Name of its ResourceQuota, and of the PrometheusRule about it."""
        return f"{self.team}-quota"

    @property
    def offboarding(self) -> bool:
        """Whether nobody has access any more, and protected data may be deleted."""
        return self.lifecycle == "offboarding"

    @property
    def running(self) -> bool:
        """Whether pods may run."""
        return self.lifecycle == "active"

    @property
    def deployed(self) -> tuple[AnyApp, ...]:
        """The apps that the program creates."""
        return () if self.offboarding else self.apps

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names under which the apps are reached from outside."""
        claimed = {
            host
            for app in self.deployed
            if isinstance(app, WebApp) and app.ingress.enabled
            for host in app.ingress.every_host
        }
        return tuple(sorted(claimed))

    @property
    def developers(self) -> tuple[str, ...]:
        """Keycloak groups that may change objects."""
        return _given(self.access.developers, f"{self.team}-developers")

    @property
    def groups(self) -> frozenset[str]:
        """All Keycloak groups that have access."""
        return frozenset((*self.developers, *self.viewers, *self.access.roles))

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """Further ClusterRoles and the Keycloak groups that have each."""
        roles = self.access.roles
        return {
            role: tuple(sorted(group for group, given in roles.items() if given == role))
            for role in sorted(set(roles.values()))
        }

    @property
    def viewers(self) -> tuple[str, ...]:
        """Keycloak groups with read access."""
        return _given(self.access.viewers, f"{self.team}-viewers")


def _given(groups: tuple[str, ...] | None, default: str) -> tuple[str, ...]:
    return (default,) if groups is None else groups
