"""The base of a change: its revision, a copy of its files, and the files that differ."""

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class GitError(Exception):
    """Git cannot determine the base of a change; the message is a line for the user."""


def merge_base(root: Path, ref: str) -> str:
    """The commit (40 or 64 hex digits) at which the histories of HEAD and `ref` diverged.

    So later merges to `ref` are not part of the change. `root` is the checkout, which may be a
    folder within its repository. Raises GitError.
    """
    _git(root, "rev-parse", "--git-dir")  # reports a missing repository
    commit = _commit(root, ref)
    if commit is None:
        raise GitError(f"no revision '{ref}' in this clone; name another, or fetch it")
    head = _commit(root, "HEAD")
    if head is None:
        raise GitError("no commit yet; make one")
    found = _run(root, "merge-base", commit, head)
    if found.returncode == 0:
        return found.stdout.decode().split()[0]
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise GitError(
            f"'{ref}' and HEAD have no commit in common in this shallow clone; fetch the history "
            "between them (git fetch --unshallow)"
        )
    raise GitError(
        f"'{ref}' and HEAD have no commit in common; name a revision that HEAD descends from"
    )


def changed_files(root: Path, commit: str) -> list[str]:
    """Differences between `commit` and the working tree: paths below `root`, sorted.

    Untracked files are included, ignored ones are not. A file that moved is listed twice: with its
    old and its new path.
    """
    tracked = _git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", commit, "--")
    others = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({os.fsdecode(path) for path in (tracked + others).split(b"\0") if path})


@contextmanager
def copy_of(root: Path, commit: str) -> Iterator[Path]:
    """A temporary folder with the files that `root` has at `commit`. Raises GitError."""
    packed = _git(root, "archive", "--format=tar", commit)
    with tempfile.TemporaryDirectory(prefix="sre-base-") as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(folder, filter=_within_the_tree)
        except tarfile.TarError as error:
            raise GitError(f"the files at {commit[:12]} cannot be copied: {error}") from None
        yield Path(folder).resolve()


def _within_the_tree(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """The file to unpack; None for a link that leads outside the tree."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _commit(root: Path, ref: str) -> str | None:
    if ref.startswith("-"):
        return None  # an option to Git
    found = _run(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return None if found.returncode else found.stdout.decode().strip()


def _git(root: Path, *arguments: str) -> bytes:
    done = _run(root, *arguments)
    if done.returncode:
        raise GitError(_complaint(root, done))
    return done.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # No lock on the index for a query, and messages in the same language everywhere.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("`git` is not installed; install it") from None


def _complaint(root: Path, done: subprocess.CompletedProcess[bytes]) -> str:
    """The first line of what Git complained about."""
    said = (done.stderr.decode(errors="replace").strip().splitlines() or ["failed"])[0]
    if "not a git repository" in said:
        return f"{root} is not in a Git repository; run this in a clone"
    return f"git {done.args[1]}: {said.removeprefix('fatal: ')}"
