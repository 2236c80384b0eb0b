"""Sides that earlier reviews have rendered, in the user's cache; it can be deleted at any time."""

import dataclasses
import gzip
import hashlib
import json
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path

from binaries.cache import cache_folder
from specs.stack_file import read_stack
from tools.rendering.index import Index
from tools.review.rendered_objects import Side, side_of

# The least recently used sides beyond this are deleted. A side of a thousand teams takes 10 MB.
_MOST = 256 * 2**20  # bytes

_FORM = 2  # of an entry; counted up when it changes

_STARTED = time.time()

_DAMAGED = (OSError, EOFError, zlib.error, ValueError)


def side_key(root: Path, stack: str) -> str | None:
    """A digest of what the rendering of a checkout's stack depends on; None: not to be kept.

    That is every file of the checkout but hidden ones, the stack's name, and the packages that are
    installed. The date does not count: whoever renders checks expired exceptions each time.
    """
    settings, problems = read_stack(root, stack)
    if settings is None or problems:
        return None
    if not (root / settings.tenants).resolve().is_relative_to(root.resolve()):
        return None
    packages = sorted(f"{each.name}=={each.version}" for each in distributions())
    digest = hashlib.sha256(repr((_FORM, sys.version, packages, stack)).encode())
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_left_out(name))
        if any((Path(folder) / name).is_symlink() for name in folders):
            return None  # leads to files that are not seen here
        for name in sorted(name for name in files if not _is_left_out(name)):
            file = Path(folder) / name
            try:
                content = file.read_bytes()
                changed = file.stat().st_mtime
            except OSError:
                return None
            if changed > _STARTED:
                return None  # this process may run the former code
            path = file.relative_to(root).as_posix()
            digest.update(repr((path, hashlib.sha256(content).hexdigest())).encode())
    return digest.hexdigest()


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def kept_side(key: str | None) -> Side | None:
    """The side with this key; None if there is none, or if its file is damaged."""
    if key is None:
        return None
    file = _file(key)
    try:
        index, documents = json.loads(gzip.decompress(file.read_bytes()))
        os.utime(file)
    except FileNotFoundError:
        return None
    except _DAMAGED:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        return None
    return side_of(index and Index(**index), documents)


def keep_side(key: str | None, index: Index | None, documents: Mapping[str, str]) -> Side:
    """The side with these documents, kept for later reviews."""
    if key is not None:
        content = json.dumps([index and dataclasses.asdict(index), documents])
        # A cache that cannot be written to is no reason to fail.
        with suppress(OSError):
            _write(_file(key), gzip.compress(content.encode(), 1))
    return side_of(index, documents)


def _file(key: str) -> Path:
    return cache_folder() / "rendered" / f"{key}.json.gz"


def _write(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, and make room for it."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as unfinished:
        try:
            unfinished.write(content)
            unfinished.close()
            Path(unfinished.name).replace(file)
        except OSError:
            Path(unfinished.name).unlink()
            raise
    size = 0
    for each in sorted(file.parent.iterdir(), key=_last_used, reverse=True):
        size += each.stat().st_size
        if size > _MOST:
            each.unlink(missing_ok=True)


def _last_used(file: Path) -> float:
    return file.stat().st_mtime
