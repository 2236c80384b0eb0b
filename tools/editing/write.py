"""Writes a file whole or not at all."""

import errno
import os
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Makes `text` the content of `path`, as UTF-8 and with its line ends as they are.

    A reader sees the file as it was or as it will be. Its mode is kept; of a symbolic link, the
    file it names is written. Raises OSError: then nothing has changed.
    """
    target = path.resolve()
    if target.exists() and not os.access(target, os.W_OK):
        # A rename would not ask.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    # In the same folder, as a rename is atomic within one file system only.
    scratch = target.with_name(f".{target.name}.{os.urandom(4).hex()}.new")
    try:
        with scratch.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            scratch.chmod(target.stat().st_mode & 0o7777)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
