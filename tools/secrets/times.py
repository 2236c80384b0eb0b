"""Times, as OpenBao writes them and as people read them."""


def shown_time(written: str) -> str:
    """`2026-11-29T21:13:54.509673838Z` as `2026-11-29 21:13:54 UTC`."""
    return f"{written[:19].replace('T', ' ')} UTC"
