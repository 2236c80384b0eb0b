"""The repository that contains a tree; Flux's paths are relative to its root."""

from pathlib import Path


def repository_of(path: Path) -> Path | None:
    """The root of the Git repository that contains a file or folder."""
    return next((at for at in (path, *path.parents) if is_repository(at)), None)


def is_repository(folder: Path) -> bool:
    """Whether the folder is the root of a Git repository."""
    return (folder / ".git").exists()


def ancestors(file: Path) -> list[Path]:
    """The folders to which a path in the file may be relative, the likeliest first.

    That is the root of the repository. But a tree may be a copy, even in another repository: then
    it is the nearest folder above the file that has such a path.
    """
    above, root = list(file.parents), repository_of(file)
    return [root, *above[: above.index(root)]] if root else above
