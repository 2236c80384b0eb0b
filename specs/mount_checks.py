"""Checks of what is mounted where in an app's container."""

from collections.abc import Iterator
from dataclasses import dataclass

from specs.container import Container
from specs.problem import Finding, Loc, listed_twice


@dataclass(frozen=True)
class _Mount:
    path: str
    loc: Loc
    name: str
    closed: bool = False  # nothing can be mounted inside it

    def holds(self, other: "_Mount") -> bool:
        return other.path.startswith(f"{self.path}/")


def check_mounts(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report two mounts at one path, or one inside another that cannot hold it."""
    mounts = list(_mounts(container))
    seen: dict[str, _Mount] = {}
    for mount in mounts:
        loc: Loc = (*inner, *mount.loc, "path")
        first = seen.setdefault(mount.path, mount)
        if mount.closed and mount.path == "/etc":
            yield loc, "'/etc' gets files of the container's runtime too; choose a path within it"
            continue
        outer = next((other for other in mounts if other.closed and other.holds(mount)), None)
        if first is not mount and first.name == mount.name:
            yield loc, f"'{mount.path}' is listed twice; remove one"
        elif first is not mount:
            yield loc, f"'{mount.path}' is already mounted ({first.name}); remove one"
        elif outer:
            yield (
                loc,
                f"'{mount.path}' is inside '{outer.path}', which {outer.name} mounts read-only; "
                "choose a path outside of it",
            )
    for index, files in enumerate(container.secret_files):
        at: Loc = (*inner, "secretFiles", index, "keys")
        yield from listed_twice(((*at, number), key) for number, key in enumerate(files.keys))


def _mounts(container: Container) -> Iterator[_Mount]:
    for index, writable in enumerate(container.writable_paths):
        yield _Mount(writable.path, ("writablePaths", index), "writablePaths")
    for index, volume in enumerate(container.volumes):
        yield _Mount(volume.path, ("volumes", index), f"volume '{volume.name}'")
    for index, files in enumerate(container.secret_files):
        yield _Mount(files.path, ("secretFiles", index), "secretFiles", closed=True)
    for index, file in enumerate(container.files):
        yield _Mount(file.path, ("files", index), "files", closed=True)
