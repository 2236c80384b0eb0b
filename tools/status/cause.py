"""Why an app does not run as wanted, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from specs.problem import Loc


class Weight(StrEnum):
    """How much a cause matters."""

    BROKEN = "broken"  # the app does not run, or its new version does not
    DIFFERS = "differs"  # the cluster has something else than the file says
    WARNING = "warning"  # the app runs, but something beside it is wrong


@dataclass(frozen=True)
class Cause:
    """A cause in words; `kind` names it for programs.

    `loc`: the key that can mend it, from the app's entry in the team's file; with `of_team`, from
    the file's root. `lasting`: it does not pass without a change. `lines`: the end of a log.
    """

    kind: str
    what: str
    do: str
    loc: Loc | None = None
    of_team: bool = False
    weight: Weight = Weight.BROKEN
    lasting: bool = False
    lines: tuple[str, ...] = ()
