"""What a cluster says of the teams, for the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from specs.quantity import parse


@dataclass(frozen=True)
class LiveCause:
    """What is wrong and what to do; `key` of the team's file fixes it, if one does.

    `differs`: the cluster has something else than the file says.
    """

    said: str
    key: str
    differs: bool


@dataclass(frozen=True)
class LiveApp:
    """An app's line of `./sre status`, and the causes; the most important one comes first."""

    app: str
    status: str
    pods: str
    version: str
    causes: Sequence[LiveCause]


@dataclass(frozen=True)
class LiveQuota:
    """A resource of the team's ResourceQuota, as Kubernetes writes amounts."""

    resource: str
    hard: str
    used: str

    @property
    def share(self) -> int:
        """Of the quota, in per cent, rounded up."""
        return per_cent(parse(self.used), parse(self.hard))


@dataclass(frozen=True)
class LiveTeam:
    """A team in the cluster; `status` is that of its worst app.

    `unread` has a line for each kind that could not be read; `closed` says why no kind could.
    """

    status: str
    apps: Sequence[LiveApp]
    quota: Sequence[LiveQuota]
    unread: Sequence[str]
    closed: str

    @property
    def tightest(self) -> LiveQuota | None:
        """The resource of which most is used."""
        return max(self.quota, key=lambda each: each.share, default=None)


@dataclass(frozen=True)
class Live:
    """The teams by name, as a context of the reader's kubeconfig showed them at a time.

    `by_namespace`: kinds that were listed in each namespace, not over all of them.
    `not_as_wanted`: statuses of apps with which something is wrong or under way, the worst first.
    """

    context: str
    read: datetime
    by_namespace: Sequence[str]
    not_as_wanted: Sequence[str]
    teams: Mapping[str, LiveTeam]


def per_cent(amount: int | Fraction, quota: int | Fraction) -> int:
    """Rounded up; of nothing, all that is taken is too much."""
    if not quota:
        return 101 if amount else 0
    return int(-(-amount * 100 // quota))
