"""Why an app does not run as wanted, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from specs.problem import Loc

# For programs: docs/status.md has a line on each.
Kind = Literal[
    "not-deployed", "overdue", "drift",
    "quota", "limit-range", "pod-security", "policy", "policy-violation", "webhook",
    "service-account", "refused",
    "no-room", "no-node", "volume",
    "secret-not-deployed", "secret-unseen", "secret-not-stored", "secret-key", "secret-denied",
    "secret-store", "secret-not-synced", "secret-missing",
    "image-missing", "image-unsigned", "image-vulnerable", "image-refused", "image-platform",
    "image-name", "image-never-pulled", "image-pull", "pull-secret-missing", "pull-secret-stale",
    "pull-login", "registry-limit", "registry-unreachable",
    "runs-as-root", "config-map", "not-created", "cannot-start", "mount", "network", "evicted",
    "crash", "out-of-memory", "read-only",
    "startup-probe", "liveness-probe", "readiness-probe",
    "sidecar-configuration", "sidecar-missing", "sidecar-image", "sidecar-crash", "sidecar-memory",
    "run-failed", "run-deadline", "runs-missed",
    "not-routed", "gateway-missing", "host-not-served", "certificate-missing",
    "autoscaler-missing", "autoscaler-metrics", "autoscaler-limit", "autoscaler", "drain-blocked",
]  # fmt: skip


class Weight(StrEnum):
    """How much a cause matters."""

    BROKEN = "broken"  # the app does not run, or its new version does not
    DIFFERS = "differs"  # the cluster has something else than the file says
    WARNING = "warning"  # something beside the app is wrong, or what is wrong may soon pass


@dataclass(frozen=True)
class Cause:
    """A cause in words.

    `loc`: the key that can mend it, from the app's entry in the team's file; with `of_team`, from
    the file's root. `lasting`: it does not pass without a change. `lines`: the end of a log.
    """

    kind: Kind
    what: str
    do: str
    loc: Loc | None = None
    of_team: bool = False
    weight: Weight = Weight.BROKEN
    lasting: bool = False
    lines: tuple[str, ...] = ()
