"""ServiceAccounts (NIST 800-53 AC-6)."""

from collections.abc import Iterator

from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules


def service_account(pair: Pair) -> Iterator[Hit]:
    """Whether pods with this ServiceAccount get its token."""
    field = "automountServiceAccountToken"
    if pair.now(field) is not False and (pair.before is None or pair.was(field) is False):
        yield Hit(Rules.TOKEN, f"{pair.object.shown} gives its token to pods")
