"""The External Secrets Operator, which its project publishes as an image only, so it is built."""

import shutil
import tempfile
from pathlib import Path

from semver import VersionInfo

from binaries import operators, pinned
from binaries.operators import Operator
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


def operator() -> Operator:
    """Return the operator: cached, or new. Raises UserError if it cannot be built."""
    return Operator.kept_in(pinned.cached(RELEASE, _make), RELEASE)


def _make(root: Path) -> None:
    """Build it as its own module says, with its own versions of all that it needs.

    Its providers register themselves by being imported, and its controllers import them all. So the
    module is copied, and the lists of imports in it are replaced.
    """
    published = operators.sources(RELEASE, MODULE)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        shutil.copytree(published, source, copy_function=shutil.copyfile)
        for own, theirs in _OWN.items():
            shutil.copyfile(RELEASE.sources / own, source / theirs)
        pinned.build(RELEASE, root / "bin", source)
        files = (source / DEFINITIONS).glob("*_*.yaml")  # and not kustomization.yaml
        operators.keep_definitions(files, root)
