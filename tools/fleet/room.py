"""Whether a backend in a local folder has room for states."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Several states of large stacks; one of a team takes half a MiB.
LEAST = 64 << 20


def without_room() -> str:
    """Why no state may be written now, or nothing; other backends have a disk of their own.

    On a full disk, Pulumi's file backend can cut a state off.
    """
    url = urlsplit(_backend())
    if url.scheme != "file":
        return ""
    folder = Path(unquote(url.netloc + url.path)).expanduser()
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""  # Pulumi says more about it
    if free >= LEAST:
        return ""
    return (
        f"the backend's disk has {free >> 20} MiB left, and a full one can cost the state; free "
        f"at least {LEAST >> 20} MiB in {folder}"
    )


def _backend() -> str:
    """The URL that the environment or the last `pulumi login` names."""
    if url := os.environ.get("PULUMI_BACKEND_URL"):
        return url
    home = Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()
    try:
        found = json.loads((home / "credentials.json").read_bytes())["current"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(found)
