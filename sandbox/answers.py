"""Turns a server's refusal, or its silence, into a line for the user."""

from collections.abc import Generator
from contextlib import contextmanager

from clients.http import RefusedError, UnreachableError
from clients.local_servers import FOLDER
from sandbox.package import Existing, ServerError, UnfinishedError

# The request may have been carried out all the same.
OUTCOME_UNKNOWN = (500, 502, 503, 504)
# Nothing is wrong with the request: it may succeed later.
NO_VERDICT = (409, 429, *OUTCOME_UNKNOWN)
_ADVICE = f"run this again; if it keeps failing, its log is in {FOLDER / 'logs'}"
_ABOUT_WEBHOOKS = "start the webhook's server (see `./sre doctor`), then run this again"


@contextmanager
def reporting(what: str, server: str, left: Existing | None = None) -> Generator[None]:
    """Raise ServerError for a server, such as "The API server", that was asked about `what`.

    With `left`, what a write would leave, it is UnfinishedError if the write may have happened.
    """
    try:
        yield
    except RefusedError as refusal:
        message = f"{what}: {refusal.reason}"
        if refusal.status in NO_VERDICT:
            of_webhook = "failed calling webhook" in refusal.reason
            advice = _ABOUT_WEBHOOKS if of_webhook else _ADVICE
            message = f"{what}: {server} at {refusal}; {advice}"
        if left and refusal.status in OUTCOME_UNKNOWN:
            raise UnfinishedError(message, left) from None
        raise ServerError(message) from None
    except UnreachableError as silence:
        message = f"{what}: {unanswered(server, silence)}"
        if left:
            raise UnfinishedError(message, left) from None
        raise ServerError(message) from None


def unanswered(server: str, silence: UnreachableError) -> str:
    """Which server did not answer, and what to do."""
    return f"{server} at {silence}; `make servers` starts it again."
