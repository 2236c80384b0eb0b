"""An app made from a release: what is left out of it, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from specs.problem import Loc, Problem
from tools.migration.documents import Manifest
from tools.migration.import_findings import SUBSTITUTED, Findings, is_substituted
from tools.migration.value import Value


@dataclass
class AppDraft:
    """A release that becomes an app: its entry of `apps` is made from `entry`.

    `layers` are the mappings from which its values were merged; `whole` is one that contains all.
    `notes` are reported if the app is written; `left_out` has the places of rejected values.
    `added` are keys of the entry that none of its layers has.
    """

    release: Manifest
    entry: Value
    layers: list[Value]
    whole: Value | None
    removed: list[Value] = field(default_factory=list)
    nulls: list[tuple[Loc, Value]] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    left_out: list[Loc] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    def leave_out(self, locs: Iterable[Loc]) -> bool:
        """Remove the value at each place, or around it; return False if that is the app itself."""
        found = {self._cut(loc) for loc in locs}
        cuts = sorted(found - {()}, reverse=True)
        self.left_out += cuts
        for cut in cuts:  # from the end, because a list's entries move up
            if not any(cut[: len(other)] == other for other in cuts if other != cut):
                self.removed.append(self.entry.remove(cut))
        return () not in found

    def leave_out_nulls(self) -> None:
        """A null removes the chart's default; its meaning is known once the team is."""
        for loc, value in reversed(list(self.entry.scalars())):
            if value.data is None and loc and isinstance(loc[-1], str):
                self.nulls.append((loc, value))
                self.removed.append(self.entry.remove(loc))

    def leave_out_substituted(self, findings: Findings) -> None:
        """Text with Flux variables is not what runs: it is lost."""
        if not self.release.substituted:
            return
        found = [(loc, value) for loc, value in self.entry.scalars() if is_substituted(value.data)]
        findings.lost += (value.problem(SUBSTITUTED) for _, value in found)
        self.leave_out([loc for loc, _ in found])

    def _cut(self, loc: Loc) -> Loc:
        """What must go with the value at `loc`: the whole of a rule, a variable or a command."""
        _, missing = self.entry.find(loc)
        loc = loc[: len(loc) - len(missing)]
        at = next((index for index, step in enumerate(loc) if isinstance(step, int)), len(loc))
        entry, _ = self.entry.find(loc[: at + 1])
        return loc[: at + 1] if isinstance(entry.data, dict) else loc[:at]
