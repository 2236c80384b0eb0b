"""Keycloak, which its project publishes in Maven Central, prepared for the sandbox."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from semver import VersionInfo

from binaries import pinned
from binaries.console import UserError, say
from binaries.pinned import Release

VERSION = VersionInfo(26, 7, 3)
SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
JAVA_AT_LEAST = 17
RELEASE = Release(
    folder="keycloak",
    title="Keycloak",
    version=VERSION,
    packages={"kc.sh": ""},
    building_takes="a minute",
    install_page="https://www.keycloak.org/downloads",
)

# Options of `kc.sh build`: a start with other values would build again.
_BUILT_WITH = ("--db=dev-file", "--health-enabled=true", "--http-management-health-enabled=false")
# As its own script sets them.
_OPENED = ("java.util", "java.util.concurrent", "java.security", "java.lang")
_PROPERTIES = {
    "file.encoding": "UTF-8",
    "java.util.logging.manager": "org.jboss.logmanager.LogManager",
    "java.util.concurrent.ForkJoinPool.common.threadFactory": (
        "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
    ),
    "user.language": "en",
    "user.country": "US",
}
# It shares the machine with other servers, serves a few people, and stops before Java's optimising
# compiler pays off.
_SMALL = (
    "-Xms64m",
    "-Xmx320m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
)


@dataclass(frozen=True)
class Distribution:
    """Its files, and the Java that runs them."""

    java: Path
    home: Path

    def start(self, *options: str) -> list[str]:
        """The command line of Java itself: the script, when killed, would leave Java running."""
        properties = {
            **_PROPERTIES,
            "kc.home.dir": str(self.home),
            "jboss.server.config.dir": str(self.home / "conf"),
        }
        return [
            str(self.java),
            *_SMALL,
            "-XX:+ExitOnOutOfMemoryError",
            *(f"-D{name}={value}" for name, value in properties.items()),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            str(self.home / "lib" / "quarkus-run.jar"),
            "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
            "start",
            "--optimized",
            *options,
        ]


def distribution() -> Distribution:
    """Return Keycloak: cached, or new. Raises UserError if it, or Java, cannot be had."""
    java = _java()
    return Distribution(java, pinned.cached(RELEASE, lambda root: _make(root, java)))


def _java() -> Path:
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    version = _java_version(found) if found else 0
    if found and version >= JAVA_AT_LEAST:
        return Path(found)
    there = f"{found} is Java {version}" if version else f"{found or 'Java'} is not found"
    raise UserError(
        f"Cannot run Keycloak: {there}; install Java {JAVA_AT_LEAST} or newer "
        "(https://adoptium.net/), or name it in JAVA_HOME."
    )


def _java_version(program: str) -> int:
    """Its major version; 0 if it cannot be run or says nothing usable."""
    try:
        said = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=pinned.VERSION_WITHIN
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    # "17.0.15", "21" and, up to Java 8, "1.8.0_402".
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match[1]) if match else 0


def _make(root: Path, java: Path) -> None:
    """Download it, and build it for the options that the sandbox starts it with."""
    maven = shutil.which("mvn")
    if not maven:
        raise UserError(
            "Cannot get Keycloak: Maven, which downloads it, is not found; "
            "install it (https://maven.apache.org/install.html)."
        )
    root.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        archive = _fetched(maven, Path(folder))
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)
        (unpacked,) = Path(folder).glob("keycloak-*/")
        for part in unpacked.iterdir():
            part.rename(root / part.name)
    script = root / "bin" / "kc.sh"
    script.chmod(0o755)  # ZipFile keeps no modes
    say(f"Preparing Keycloak v{VERSION}: {RELEASE.building_takes}, only once.")
    settings = {"JAVA": str(java), "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m"}
    _run([str(script), "build", *_BUILT_WITH], "Preparing Keycloak", settings)


def _fetched(maven: str, folder: Path) -> Path:
    """The archive in `folder`, with the expected checksum."""
    say(f"Downloading Keycloak v{VERSION} with Maven: 180 MB ...")
    properties = {
        "maven.repo.local": folder / "repository",
        "org.slf4j.simpleLogger.logFile": "System.err",  # otherwise its errors go to stdout
        "artifact": ARTIFACT,
        "outputDirectory": folder,
    }
    defined = [f"-D{name}={value}" for name, value in properties.items()]
    _run([maven, "--batch-mode", *defined, f"{PLUGIN}:copy"], "Downloading Keycloak", {})
    archive = folder / f"keycloak-quarkus-dist-{VERSION}.zip"
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != SHA256:
        raise UserError(f"Cannot get Keycloak: the checksum of {ARTIFACT} is not {SHA256}.")
    return archive


def _run(command: list[str], doing: str, settings: dict[str, str]) -> None:
    code, errors = pinned.run(command, doing, settings=settings)
    if code != 0:
        # The first error says what is wrong; the others say where to read about it.
        said = [line for line in errors.splitlines() if "ERROR" in line] or errors.splitlines()
        why = said[0] if said else f"{Path(command[0]).name} ended with {code}"
        raise UserError(f"{doing} failed: {why.removeprefix('[ERROR] ')}")
