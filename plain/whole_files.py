"""Writes files completely or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Make `text` the content of `path`, as UTF-8 and with its line ends unchanged.

    A reader sees either the old or the new file. Its mode is kept; for a symbolic link, the file
    that it points to is written. If it raises OSError, nothing has changed.
    """
    _replace(path, text.encode())


def delete(path: Path) -> None:
    """Delete a file. Raises OSError, also for one that may not be written."""
    _check_writable(path)
    path.unlink()


@contextmanager
def all_or_nothing(*paths: Path) -> Iterator[None]:
    """If what it surrounds raises or is interrupted, the files are made what they were before."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in reversed(before.items()):
            with suppress(OSError):  # the disk is full, say; then the others still count
                if content is None:
                    path.unlink(missing_ok=True)
                elif not path.exists() or path.read_bytes() != content:
                    _replace(path, content)
        raise


def _replace(path: Path, content: bytes) -> None:
    target = path.resolve()
    _check_writable(target)
    # In the same folder, because a rename is atomic only within one file system.
    scratch = target.with_name(f".{target.name}.{os.urandom(4).hex()}.new")
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            scratch.chmod(target.stat().st_mode & 0o7777)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def _check_writable(path: Path) -> None:
    """Raise PermissionError for a read-only file, which a rename or a deletion would ignore."""
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
