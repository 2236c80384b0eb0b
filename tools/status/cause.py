"""Why an app does not run as wanted, and what to do about it."""

from dataclasses import dataclass

from specs.problem import Loc


@dataclass(frozen=True)
class Cause:
    """A cause in words; `kind` names it for programs.

    `loc`: the key that can mend it, from the app's entry in the team's file; `of_team`: from the
    file's root. Not `broken`: the app runs, but something is wrong. `lasting`: it does not pass
    without a change. `lines`: the last lines of a log.
    """

    kind: str
    what: str
    do: str
    loc: Loc | None = None
    of_team: bool = False
    broken: bool = True
    lasting: bool = False
    lines: tuple[str, ...] = ()
