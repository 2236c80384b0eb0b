"""The user's cache folder of this project."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """It, which may not exist yet: below XDG_CACHE_HOME, or ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "sre-platform"
