"""Times, as servers write them and as people read them."""

from datetime import UTC, datetime


def shown_time(written: str) -> str:
    """`2026-11-29T21:13:54.509673838Z` as `2026-11-29 21:13:54 UTC`."""
    return f"{written[:19].replace('T', ' ')} UTC"


def shown_day(seconds: int) -> str:
    """A moment since 1970 as `2026-11-29`, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
