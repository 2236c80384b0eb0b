"""What the doctor reports, for tests to examine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tools.doctor.examination import (
    Check,
    Examination,
    Line,
    Outcome,
    Status,
)
from tools.doctor.health_table import table


class Checks(Protocol):
    """The checks of one server."""

    trust: str

    def checks(self) -> Iterator[Check]: ...


@dataclass(frozen=True)
class DoctorReport:
    """The lines about one server."""

    lines: Sequence[Line]

    @property
    def text(self) -> str:
        return table(self.lines)

    @property
    def statuses(self) -> set[str]:
        return {line.finding.status.value for line in self.lines}

    @property
    def warned(self) -> list[Line]:
        return [line for line in self.lines if line.finding.status is Status.WARN]

    def failed(self) -> dict[str, Outcome]:
        return {
            line.what: line.finding for line in self.lines if line.finding.status is Status.FAIL
        }

    def found(self, what: str) -> str:
        """All that one check found."""
        return "; ".join(line.finding.found for line in self.lines if line.what == what)


def ask(server: str, checks: Checks) -> DoctorReport:
    """Asks until the last check is over."""
    examination = Examination(server, checks.trust, list(checks.checks()))
    examination.start().join(30)
    return DoctorReport(list(examination.lines()))
