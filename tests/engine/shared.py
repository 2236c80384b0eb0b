"""What is made once for all of pytest's processes."""

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What `make` makes in a new folder: the first of pytest's processes to ask runs it."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = place / "made"
        if not done.exists():
            made = make(place / "checkout")
            done.write_bytes(pickle.dumps(made))
        loaded: Made = pickle.loads(done.read_bytes())
    return loaded
