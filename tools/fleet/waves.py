"""The order of an update: which stacks go together, and after which others."""

import math
import re
from collections.abc import Collection, Sequence

REST = "rest"


def check_shares(shares: Sequence[str]) -> None:
    """Raise ValueError unless each is a number, a percentage or, at the end, `rest`."""
    for position, share in enumerate(shares, start=1):
        if share == REST:
            if position < len(shares):
                raise ValueError("'rest' must be the last wave")
        elif not re.fullmatch(r"[1-9][0-9]{0,5}|([1-9][0-9]?|100)%", share):
            raise ValueError(f"'{share}' must be a number of stacks, a percentage or 'rest'")


def waves(
    stacks: Sequence[str],
    first: Collection[str],
    canaries: Collection[str],
    shares: Sequence[str],
) -> list[list[str]]:
    """Those in `first`, the canaries, then shares of the others; what is left comes last.

    A percentage is of the others, rounded up. No wave is empty.
    """
    found = [[stack for stack in stacks if stack in first]]
    left = [stack for stack in stacks if stack not in first]
    found.append([stack for stack in left if stack in canaries])
    left = [stack for stack in left if stack not in canaries]
    others = len(left)
    for share in (*shares, REST):
        size = len(left)
        if share.endswith("%"):
            size = math.ceil(others * int(share[:-1]) / 100)
        elif share != REST:
            size = int(share)
        found.append(left[:size])
        left = left[size:]
    return [wave for wave in found if wave]
