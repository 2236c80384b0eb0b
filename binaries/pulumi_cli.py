"""Finds the Pulumi CLI, or gets it: from the official download, otherwise from its Go sources."""

import shutil
import subprocess
import sys
from pathlib import Path

from pulumi.automation import InvalidVersionError, PulumiCommand
from semver import VersionInfo

from binaries import download, pinned
from binaries.console import say

VERSION = VersionInfo(3, 259, 0)
# The SDK that this CLI is tested with; docs/decisions.md explains why it is the newer of the two.
SDK_VERSION = VersionInfo(3, 272, 0)
RELEASE = pinned.Release(
    folder="pulumi",
    title="the Pulumi CLI",
    version=VERSION,
    packages={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    building_takes="about 4 minutes",
    install_page="https://www.pulumi.com/docs/install/",
    ldflags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}",
)
# Older engines do not send a provider everything that the stand-in needs (a deleted object's
# inputs).
OLDEST_ON_PATH = VersionInfo(3, 200, 0)
INSTALL_SCRIPT = "https://get.pulumi.com/install.sh"
DOWNLOADED_WITHIN = 300  # seconds

# PulumiCommand.install hangs on a stalled connection; a separate process can be stopped.
install_script = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


def find() -> PulumiCommand:
    """Return the CLI from PATH, or the cached one, or a new one for the cache.

    Raises UserError if none is available.
    """
    if on_path := shutil.which("pulumi"):
        try:
            return PulumiCommand(version=OLDEST_ON_PATH)
        except (InvalidVersionError, OSError, subprocess.CalledProcessError):
            say(f"{on_path} is not a Pulumi CLI v{OLDEST_ON_PATH} or newer; using v{VERSION}.")
    return _Cached(pinned.cached(RELEASE, _download))


class _Cached(PulumiCommand):
    """Is not asked for its version, which is known."""

    def __init__(self, root: Path) -> None:
        self.command = str(root / "bin" / "pulumi")
        self.version = VERSION


def downloadable() -> bool:
    """Whether the official download answers, which is clear within seconds."""
    try:
        download.read(INSTALL_SCRIPT)
    except download.DownloadError:
        return False
    return True


def _download(root: Path) -> None:
    """Put the official CLI into `root/bin`; raise DownloadError if it is not available."""
    if not downloadable():
        raise download.DownloadError("get.pulumi.com does not answer")
    say(f"Downloading the Pulumi CLI v{VERSION} from get.pulumi.com ...")
    command = [sys.executable, "-c", install_script, str(root), str(VERSION)]
    code, _ = pinned.run(command, "Downloading the Pulumi CLI", within=DOWNLOADED_WITHIN)
    if code != 0:
        raise download.DownloadError("The download failed")
