"""Finds the Pulumi CLI, or gets one: official download, else built from the Go module proxy."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from pulumi.automation import InvalidVersionError, PulumiCommand
from semver import VersionInfo

from sandbox.console import UserError, say

VERSION = VersionInfo.parse("3.259.0")
# Older engines do not tell a provider all that the stand-in needs (a deleted object's inputs).
OLDEST_ON_PATH = VersionInfo.parse("3.200.0")
GO_MODULE = Path(__file__).parent / "pulumi"
GO_AT_LEAST = (1, 21)  # the first that fetches the toolchain a go.mod asks for
INSTALL_SCRIPT = "https://get.pulumi.com/install.sh"
REACHABLE_WITHIN = 5  # seconds
DOWNLOAD_WITHIN = 300  # seconds

# PulumiCommand.install waits for ever on a stalled connection; a process of its own can be stopped.
download_script = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


def find() -> PulumiCommand:
    """The CLI on PATH, else the cached one, else a new one for the cache.

    Raises UserError if there is none and no way to get one.
    """
    if on_path := shutil.which("pulumi"):
        try:
            return PulumiCommand(version=OLDEST_ON_PATH)
        except (InvalidVersionError, OSError, subprocess.CalledProcessError):
            say(f"{on_path} is not a Pulumi CLI v{OLDEST_ON_PATH} or newer; using v{VERSION}.")
    root = _cache() / f"v{VERSION}"
    if not (root / "bin" / "pulumi").exists():
        _fill(root)
    return PulumiCommand(root=str(root))


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sre-platform" / "pulumi"


def _fill(root: Path) -> None:
    """Put a CLI into the cache; a second checkout that wants one waits for the first to be done."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The Pulumi CLI cannot be kept in {root.parent} ({error.strerror}); "
            "set XDG_CACHE_HOME to a folder that can be written to."
        ) from None
    with (root.parent / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Looking for the Pulumi CLI: another checkout is getting it; waiting for that.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "bin" / "pulumi").exists():
            new = root.parent / "new"
            for leftover in (new, root):
                shutil.rmtree(leftover, ignore_errors=True)
            _download_or_build(new)
            new.rename(root)  # all or nothing


def _download_or_build(root: Path) -> None:
    say("Looking for the Pulumi CLI: not on PATH, not in the cache.")
    if _downloadable():
        say(f"Downloading the Pulumi CLI v{VERSION} from get.pulumi.com ...")
        command = [sys.executable, "-c", download_script, str(root), str(VERSION)]
        code, _ = _run(command, "Downloading the Pulumi CLI", within=DOWNLOAD_WITHIN)
        if code == 0:
            return
        say("The download failed; building the CLI instead.")
    else:
        say("get.pulumi.com does not answer; building the CLI instead.")
    _build(root / "bin" / "pulumi")


def _downloadable() -> bool:
    """Whether the official download answers soon; in a thread, for DNS has no time limit."""
    answers = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(INSTALL_SCRIPT, timeout=REACHABLE_WITHIN):
                answers.set()
        except OSError:
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(REACHABLE_WITHIN)
    return answers.is_set()


def _build(binary: Path) -> None:
    if _go_version() < GO_AT_LEAST:
        raise UserError(
            "No Pulumi CLI: install it (https://www.pulumi.com/docs/install/), or Go "
            f"{GO_AT_LEAST[0]}.{GO_AT_LEAST[1]} or newer to have it built here."
        )
    say(f"Building the Pulumi CLI v{VERSION} with Go: about 4 minutes, only this once.")
    version = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
    command = ["go", "build", "-ldflags", f"-X {version}=v{VERSION}", "-o", str(binary)]
    command.append("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi")
    code, errors = _run(command, "Building the Pulumi CLI", cwd=GO_MODULE)
    if code != 0:
        last = errors.strip().splitlines()[-1:] or [f"go build ended with {code}"]
        raise UserError(f"The Pulumi CLI could not be built: {last[0]}")


def _go_version() -> tuple[int, ...]:
    """The version of `go` on PATH; (0,) if there is none."""
    try:
        text = subprocess.check_output(["go", "env", "GOVERSION"], text=True, cwd="/")
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    match = re.match(r"go(\d+)\.(\d+)", text)
    return tuple(map(int, match.groups())) if match else (0,)


def _run(
    command: list[str], doing: str, cwd: Path | None = None, within: float | None = None
) -> tuple[int, str]:
    """Run a long command with a sign of life; its exit code (-9 if time was up) and errors."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "GOFLAGS": "-mod=readonly"},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            process_group=0,
        )
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1 if sys.stdout.isatty() else 15)
                    break
                elapsed = time.monotonic() - started
                say(f"{doing}: {elapsed:.0f} s", passing=True)
                if within and elapsed > within:
                    break
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        errors.seek(0)
        return process.returncode, errors.read()
