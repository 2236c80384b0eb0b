"""What a team's objects need to know of other teams' apps."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Partner:
    """An app of another team that calls, or is called: what its file promises.

    `account`: the ServiceAccount of its pods. `port`: its container's main port; None for an app
    that nothing can call.
    """

    account: str
    port: int | None


# By team and app.
Partners = Mapping[tuple[str, str], Partner]
