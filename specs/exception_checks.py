"""Checks of an app's exceptions: who answers for each, and whether it still holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from specs.app import AnyApp
from specs.credentials import credential_form
from specs.exceptions import (
    FIRST_UNPRIVILEGED_PORT,
    NET_BIND_SERVICE,
    PRIVILEGED_PORT,
    HardeningException,
)
from specs.problem import Finding, Loc, listed_twice
from specs.settings import Settings

_SOON_DAYS = 30

_RENEW = "have it approved again and set a later date, or remove it and what needs it"

_judge_expiry = True


def today() -> date:
    """The day in UTC by which exceptions expire; tests replace it."""
    return datetime.now(UTC).date()


def days_left(exception: HardeningException) -> int:
    """Days until its last one: 0 on that day, below 0 once it has expired."""
    return (exception.until - today()).days


@contextmanager
def judged(*, expiry: bool) -> Iterator[None]:
    """Say whether an expired exception is a problem; for files of the past, it is none."""
    global _judge_expiry
    before, _judge_expiry = _judge_expiry, expiry
    try:
        yield
    finally:
        _judge_expiry = before


def check_exceptions(app: AnyApp, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Report exceptions that have expired or come too late, twice the same, and credentials."""
    yield from listed_twice(
        ((*at, index, "allow"), each.allow) for index, each in enumerate(app.exceptions)
    )
    for index, exception in enumerate(app.exceptions):
        loc: Loc = (*at, index)
        texts = {
            "reason": exception.reason,
            "ticket": exception.ticket,
            "approvedBy": exception.approved_by,
        }
        for key, text in texts.items():
            if form := credential_form(text):
                yield (
                    (*loc, key),
                    f"contains {form}, which every reader of the file sees; remove it",
                )
        left, most = days_left(exception), settings.exception_max_days
        if left < 0 and _judge_expiry:
            yield (*loc, "until"), f"the exception expired on {exception.until}; {_RENEW}"
        elif most is not None and left > most:
            yield (
                (*loc, "until"),
                f"{exception.until} is {left} days ahead, but this stack allows at most {most} "
                "(sre-platform:exceptionMaxDays); set an earlier date",
            )


def warn_of_exceptions(app: AnyApp, at: Loc) -> Iterator[Finding]:
    """Warn about exceptions that expire soon, and those that nothing in the app needs."""
    low = [port for port in app.ports.values() if port < FIRST_UNPRIVILEGED_PORT]
    for index, exception in enumerate(app.exceptions):
        loc: Loc = (*at, index)
        if 0 <= (left := days_left(exception)) <= _SOON_DAYS:
            when = "today" if left == 0 else f"in {left} {'day' if left == 1 else 'days'}"
            yield (*loc, "until"), f"the exception expires {when}; {_RENEW}"
        if exception.allow in (PRIVILEGED_PORT, NET_BIND_SERVICE) and not low:
            yield (
                (*loc, "allow"),
                f"is not needed: no port of the app is below {FIRST_UNPRIVILEGED_PORT}; remove "
                "the exception",
            )
