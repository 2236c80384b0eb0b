"""The External Secrets Operator, which its project publishes as an image only, so it is built."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from semver import VersionInfo

from binaries import pinned
from binaries.pinned import Release

MODULE = "github.com/external-secrets/external-secrets"
RELEASE = Release(
    folder="external-secrets",
    title="the External Secrets Operator",
    version=VersionInfo(0, 16, 2),  # the last that serves v1beta1 beside v1, as stacks may want
    packages={"external-secrets": "."},
    building_takes="2 to 5 minutes",
    install_page="https://go.dev/dl/",
)
DEFINITIONS = Path("config", "crds", "bases")

# Of this repository, in place of the file of that name: which clients the operator gets.
_OWN = {
    "providers.go": Path("pkg", "provider", "register", "register.go"),
    "generators.go": Path("pkg", "generator", "register", "register.go"),
}


@dataclass(frozen=True)
class Operator:
    """The program, and the folder of the definitions that belong to it, one per file."""

    program: Path
    definitions: Path


def operator() -> Operator:
    """Return the operator: cached, or new. Raises UserError if it cannot be built."""
    root = pinned.cached(RELEASE, _make)
    return Operator(root / "bin" / "external-secrets", root / "definitions")


def _make(root: Path) -> None:
    """Build it as its own module says, with its own versions of all that it needs.

    Its providers register themselves by being imported, and its controllers import them all. So the
    module is copied, which `go.sum` has verified, and the lists of imports in it are replaced.
    """
    pinned.require_go(RELEASE)
    module = RELEASE.sources
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        shutil.copytree(_downloaded(module), source, copy_function=shutil.copyfile)
        for own, theirs in _OWN.items():
            shutil.copyfile(module / own, source / theirs)
        pinned.build(RELEASE, root / "bin", source)
        (root / "definitions").mkdir()
        for file in (source / DEFINITIONS).glob("*_*.yaml"):  # and not kustomization.yaml
            shutil.copyfile(file, root / "definitions" / file.name)


def _downloaded(module: Path) -> Path:
    """The folder of its sources, in Go's cache: as published, and not to be written to."""
    pinned.go(RELEASE, ["mod", "download", MODULE], module)
    listed = ["go", "list", "-m", "-mod=readonly", "-f", "{{.Dir}}", MODULE]
    return Path(subprocess.check_output(listed, cwd=module, text=True).strip())
