"""A check and its result, and how the checks of one server are run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Thread

from clients.http import CredentialError, RefusedError, UnreachableError


class Status(StrEnum):
    """How a check ended; only FAIL makes the command fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    """What a check found, and what to do about it.

    Never in the server's words: they may repeat the credential that was sent.
    """

    status: Status
    found: str
    do: str = ""


def ok(found: str) -> Outcome:
    """As it should be."""
    return Outcome(Status.OK, found)


def warn(found: str, do: str) -> Outcome:
    """Does not stop `up`, but the user should know."""
    return Outcome(Status.WARN, found, do)


def fail(found: str, do: str) -> Outcome:
    """`up` would fail on it."""
    return Outcome(Status.FAIL, found, do)


def skipped(found: str) -> Outcome:
    """Not asked; `found` says why."""
    return Outcome(Status.SKIPPED, found)


def tls(address: str, carried: str, unverified: Outcome | None) -> Outcome:
    """Whether what is `carried` is safe; `unverified` is the message without verification."""
    if not address.startswith("https://"):
        return warn(f"none: {carried} in plain text", "use an https address")
    return unverified or ok("verified")


@dataclass(frozen=True)
class Check:
    """`ask` checks `what`; if a `gate` fails, the checks after it are skipped."""

    what: str
    ask: Callable[[], Iterable[Outcome]]
    gate: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    what: str
    finding: Outcome


@dataclass
class Examination:
    """The checks of one server, in their order, in a separate thread.

    `trust` says where the CA of its certificate is configured.
    """

    server: str
    trust: str
    checks: Sequence[Check]
    _done: list[list[Outcome]] = field(default_factory=list)
    _over: bool = False

    def start(self) -> Thread:
        # A daemon: a credential plugin or a name server that hangs must not block the command.
        thread = Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        for check in self.checks:
            findings, goes_on = self._ask(check)
            self._done.append(findings)
            if not goes_on:
                break
        self._over = True

    def _ask(self, check: Check) -> tuple[list[Outcome], bool]:
        """What the check found, and whether further checks make sense."""
        findings: list[Outcome] = []
        try:
            for finding in check.ask():
                findings.append(finding)  # each at once: results before an error count
        except CredentialError as error:
            return [*findings, fail(str(error), "fix the credential")], False
        except UnreachableError as error:
            do = (
                f"name the CA that signed it in {self.trust}"
                if error.untrusted
                else "start it, or fix the address"
            )
            return [*findings, fail(str(error), do)], False
        except RefusedError as refusal:
            findings.append(_refused(refusal, check.gate))
        except OSError as error:  # about a file with a credential
            findings.append(fail(f"{error.filename}: {error.strerror}", "make it readable"))
        except Exception as error:  # its message may contain the server's words
            findings.append(
                fail(
                    f"unexpected answer ({type(error).__name__})",
                    "check the address; if it is right, this check has a bug",
                )
            )
        failed = any(finding.status is Status.FAIL for finding in findings)
        return findings, not (check.gate and failed)

    def lines(self) -> Iterator[Line]:
        """What has been found so far."""
        over, done = self._over, list(self._done)
        for number, check in enumerate(self.checks):
            if number < len(done):
                findings = done[number]
            elif number == len(done) and not over:
                findings = [fail("no answer in time", "find out why it hangs, then run this again")]
            else:
                findings = [skipped("depends on a check that failed above")]
            for finding in findings:
                yield Line(f"{self.server}: {check.what}", finding)


def _refused(refusal: RefusedError, gate: bool) -> Outcome:
    if refusal.status in (401, 403) and not gate:
        return warn(
            f"cannot be read ({refusal.status})", "let this identity read it, or check it yourself"
        )
    return fail(f"answered {refusal.status}", "check the server's log for the reason")
