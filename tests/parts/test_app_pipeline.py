"""An app's pipeline as docs/app-pipeline.md describes it, from a tag to a running version.

The workflow's own scripts and the page's commands run, with real Cosign and Syft, against a real
registry and a real OpenBao. Docker has a stand-in. Nothing scans: Trivy's list of vulnerabilities
is on the internet only.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from binaries.pinned import (
    COSIGN,
    COSIGN_PUBLISHED,
    KYVERNO,
    KYVERNO_PUBLISHED,
    SYFT,
    SYFT_PUBLISHED,
    find,
    image_registry,
)
from clients.http import RefusedError, UnreachableError
from clients.openbao import OpenBao
from sandbox.servers import openbao_start
from sandbox.servers.images import Image, digest
from sandbox.servers.keys import Keys
from sandbox.servers.parts import BAO, OPENBAO, REGISTRY, Parts
from sandbox.servers.processes import Interrupts, Process, stop
from sandbox.servers.registry_server import USER, RegistryServer
from tests.checkouts import Checkout
from tests.optional import available
from tests.pages import blocks
from tests.parts import docker_stand_in
from tests.parts.release import Done, Job, TokenIssuer, bash
from tests.parts.tunnel import Tunnel, tunnel_to
from tests.program import ROOT
from tests.servers.conftest import until

pytestmark = pytest.mark.parts

PAGE = ROOT / "docs/app-pipeline.md"
POLICY = ROOT / "docs/examples/signed-images.yaml"
HARBOR, VAULT = "harbor.sre.internal", "openbao.sre.internal"
TEAM, APP, TAG = "team-alpha", "my-api", "v1.1.0"
REPOSITORY = f"{TEAM}/{APP}"
IMAGE = f"{HARBOR}/{REPOSITORY}:{TAG}"
ADDRESS = f"https://{VAULT}:8200"
CLAIMS = {"sub": "release", "repository": "example/my-api", "environment": "release"}
SIGN = "Sign, and attest what is in it"
PACKAGE = "libexample1"
FILES = {
    "Dockerfile": docker_stand_in.DOCKERFILE,
    "bin/app": "#!/bin/sh\necho started\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "var/lib/dpkg/status": (
        f"Package: {PACKAGE}\nStatus: install ok installed\nVersion: 1.2.3-1\n"
        "Architecture: all\nMaintainer: Example <team@example.com>\nDescription: an example\n"
    ),
}
AUTHOR = ("-c", "user.name=Example", "-c", "user.email=example@example.com")
SIDES = ("+++", "---")
# Keeps pull requests in a file.
GH = """\
case "$1 $2" in
  "auth setup-git") ;;
  "pr list") cat {requests} ;;
  "pr create") shift 2; echo "$*" >>{requests} ;;
  *) exit 1 ;;
esac
"""
SET_UP = """
bao secrets enable -path=sre -version=2 kv
bao auth enable jwt
bao write auth/jwt/config jwt_validation_pubkeys=@github.pub
bao kv put sre/team-alpha/harbor-push username="$USER_NAME" password=@password
"""


@dataclass(frozen=True)
class Machine:
    """The runner of a team's pipeline: it reaches only OpenBao and the registry, as Harbor."""

    folder: Path
    environment: dict[str, str]
    tunnel: Tunnel
    registry: RegistryServer
    github: TokenIssuer

    def bash(self, script: str, **environment: str) -> Done:
        return bash(script, self.folder, {**self.environment, **environment})

    def prints(self, script: str, **environment: str) -> str:
        """Its output; it must succeed."""
        done = self.bash(script, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def public_key(self) -> str:
        """The key by which the team's signatures are verified."""
        return (self.folder / "cosign.pub").read_text(encoding="utf-8")

    def page(self, word: str) -> str:
        """The block of the page's commands that contains this word."""
        (block,) = (each for each in blocks(PAGE) if each.language == "sh" and word in each.text)
        return block.text

    def job(self) -> Job:
        environment = {**self.environment, "GITHUB_REF_NAME": TAG}
        return Job("image", self.folder / "app", environment, {"vars.OPENBAO_ADDR": ADDRESS})

    def push(self, tag: str, text: str) -> str:
        """Push an image that no pipeline has signed; return its digest."""
        image = Image.make({"/bin/app": text}, ["/bin/app"], busybox=False)
        self.registry.client().push(REPOSITORY, tag, image)
        return digest(image.manifest)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    cosign = available(lambda: find(COSIGN, COSIGN_PUBLISHED))
    syft = available(lambda: find(SYFT, SYFT_PUBLISHED))
    available(image_registry)
    folder = tmp_path_factory.mktemp("runner")
    for name in ("bin", "home", "servers"):
        (folder / name).mkdir()
    for path in (cosign["cosign"], syft["syft"], BAO):
        (folder / "bin" / path.name).symlink_to(path)
    docker = f'PYTHONPATH={ROOT} exec {sys.executable} -m {docker_stand_in.__name__} "$@"'
    write_program(folder / "bin" / "docker", docker)
    for name, text in FILES.items():
        file = folder / "app" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    parts = Parts(folder / "servers")
    Keys(parts.folder, more_hosts=[HARBOR, VAULT]).make()
    parts.prepare(keep_ports=False)
    registry = RegistryServer(parts)
    processes = {name: Process(parts.folder, name) for name in (REGISTRY, OPENBAO)}
    environment = {"PATH": f"{folder}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": f"{folder}/home"}
    try:
        processes[REGISTRY].start(registry.command(), environment)
        configuration = parts.folder / "keys" / "openbao.json"
        processes[OPENBAO].start([BAO, "server", f"-config={configuration}"], environment)
        until(lambda: _answers(registry.client().check))
        with tunnel_to({HARBOR: parts.ports[REGISTRY], VAULT: parts.ports[OPENBAO]}) as way:
            environment |= {
                "DOCKER_CONFIG": f"{folder}/home",
                "SSL_CERT_FILE": str(parts.keys.ca_cert),
                "HTTPS_PROXY": way.address,
                "BAO_ADDR": ADDRESS,
                "STAND_IN_REGISTRY": parts.address(REGISTRY),
            }
            made = Machine(folder, environment, way, registry, TokenIssuer())
            _set_up(made, parts)
            yield made
    finally:
        stop(processes.values())


def write_program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def _answers(ask: Callable[[], object]) -> bool:
    with suppress(RefusedError, UnreachableError):
        ask()
        return True
    return False


def _set_up(machine: Machine, parts: Parts) -> None:
    """OpenBao as the platform sets it up, and with what the page says to set up once."""
    openbao = OpenBao(parts.address(OPENBAO), None, parts.keys.ca_cert, retries=0)
    file = parts.folder / "keys" / "openbao-root.json"
    until(lambda: _answers(lambda: openbao_start.unseal(openbao, file, Interrupts())))
    root = {"BAO_TOKEN": openbao_start.unseal(openbao, file, Interrupts())}
    (machine.folder / "github.pub").write_text(machine.github.public_key, encoding="utf-8")
    (machine.folder / "password").write_text(machine.registry.password, encoding="utf-8")
    machine.prints(SET_UP, **root, USER_NAME=USER)
    machine.prints(machine.page("bao policy write"), **root)
    machine.prints(machine.page("cosign generate-key-pair"), **root)


@pytest.fixture(scope="module")
def job(machine: Machine) -> Job:
    """The workflow's first job, done."""
    job = machine.job()
    for step in ("Build", "List what is in it"):
        _run(machine, job, step)
    login = job.log_in(machine.github, CLAIMS)
    assert login.returncode == 0, login.stdout
    for step in ("Push", SIGN):
        _run(machine, job, step)
    return job


def _run(machine: Machine, job: Job, step: str) -> None:
    # Syft asks Docker for an image; here, it reads a file that the stand-in has written.
    archive = f"oci-archive:{machine.folder}/home/{docker_stand_in.ARCHIVE}"
    replaced = {"docker:$IMAGE": archive} if step == "List what is in it" else {}
    done = job.run(step, **replaced)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def logged_in(machine: Machine, job: Job) -> None:
    """Logged in to the registry, whatever a workflow's step did before."""
    _log_in(machine)


def _log_in(machine: Machine) -> None:
    machine.prints(f"docker login --username {USER} --password-stdin {HARBOR} <password")


@pytest.mark.usefixtures("logged_in")
def test_what_the_pipeline_has_pushed_can_be_verified(machine: Machine, job: Job) -> None:
    pushed = job.values["steps.push.outputs.image"]
    name, _, digest = pushed.partition("@")
    assert name == f"{HARBOR}/{REPOSITORY}"
    shown = machine.prints(machine.page("cosign verify"))
    (signature,) = json.loads(shown[shown.index("[{") :].splitlines()[0])
    assert signature["critical"]["image"] == {"docker-manifest-digest": digest}
    contents = json.loads((machine.folder / "sbom.spdx.json").read_text(encoding="utf-8"))
    assert PACKAGE in {each["name"] for each in contents["packages"]}
    attested = machine.prints(
        "cosign verify-attestation --insecure-ignore-tlog --key cosign.pub "
        f"--type cyclonedx {IMAGE} 2>/dev/null | jq -r .payload | base64 -d"
    )
    components = json.loads(attested)["predicate"]["components"]
    assert PACKAGE in {each["name"] for each in components}


def test_only_harbor_and_openbao_are_contacted(machine: Machine, job: Job) -> None:
    assert machine.tunnel.asked == {HARBOR, VAULT}


def test_no_step_prints_a_secret(machine: Machine, job: Job) -> None:
    outputs = {key: value for key, value in job.values.items() if "steps.openbao." in key}
    secrets = [value for key, value in outputs.items() if not key.endswith("USERNAME")]
    assert len(secrets) == 3
    logs = [*(machine.folder / "servers" / "logs").iterdir()]
    printed = [*job.printed, *(log.read_text(encoding="utf-8") for log in logs)]
    lines = {line for secret in secrets for line in secret.splitlines() if "-----" not in line}
    assert [line for line in lines if any(line in text for text in printed)] == []


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "repository": "example/another"},
        {**CLAIMS, "environment": "test"},
        {"sub": "release", "repository": "example/my-api"},
    ],
    ids=["another-repository", "another-environment", "no-environment"],
)
def test_another_job_gets_no_credentials(machine: Machine, claims: dict[str, object]) -> None:
    job = machine.job()
    login = job.log_in(machine.github, claims)
    assert login.returncode != 0
    assert "error validating claims" in login.stdout
    assert "| `error validating claims` |" in PAGE.read_text(encoding="utf-8")
    assert job.values.keys() == {"vars.OPENBAO_ADDR"}


@pytest.fixture(scope="module")
def refused(machine: Machine, job: Job) -> dict[str, str]:
    """A tag for each way in which an image is not what the team has signed."""
    tags = {how: f"v2.0.0-{how}" for how in ("unsigned", "other-key", "moved")}
    pushed = {how: machine.push(tag, how) for how, tag in tags.items()}
    _log_in(machine)
    _sign(machine, job, pushed["other-key"], *_another_key(machine))
    _sign(machine, job, pushed["moved"])
    machine.prints(_verify(machine, tags["moved"]))
    machine.push(tags["moved"], "another image of the same name")
    return tags


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("unsigned", "no signatures found"),
        ("other-key", "no matching signatures"),
        ("moved", "no signatures found"),
    ],
)
def test_what_the_team_has_not_signed_is_refused(
    machine: Machine, refused: dict[str, str], how: str, said: str
) -> None:
    done = machine.bash(_verify(machine, refused[how]))
    assert done.returncode != 0
    assert f"Error: {said}" in done.stdout
    assert f"| `{said}` |" in PAGE.read_text(encoding="utf-8")


def _sign(machine: Machine, job: Job, digest: str, key: str = "", password: str = "") -> None:
    """Sign as the workflow does, with the team's key or with another one."""
    another = machine.job()
    another.values |= {**job.values, "steps.push.outputs.image": f"{HARBOR}/{REPOSITORY}@{digest}"}
    if key:
        another.values |= {
            "steps.openbao.outputs.COSIGN_PRIVATE_KEY": key,
            "steps.openbao.outputs.COSIGN_PASSWORD": password,
        }
    _run(machine, another, SIGN)


def _another_key(machine: Machine) -> tuple[str, str]:
    """A private key and its password."""
    machine.prints("cosign generate-key-pair --output-key-prefix another", COSIGN_PASSWORD="other")
    return (machine.folder / "another.key").read_text(encoding="utf-8"), "other"


def _verify(machine: Machine, tag: str) -> str:
    return machine.page("cosign verify").replace(IMAGE, IMAGE.replace(TAG, tag))


def test_with_a_wrong_password_nothing_is_pushed(machine: Machine, job: Job) -> None:
    another = machine.job()
    another.environment |= {"IMAGE": IMAGE.replace(TAG, "v3.0.0")}
    another.values |= {
        **job.values,
        "steps.openbao.outputs.HARBOR_PASSWORD": "of-a-robot-that-has-been-rotated",
    }
    done = another.run("Push")
    assert done.returncode != 0
    assert "of-a-robot" not in done.stdout
    assert "authentication required" in done.stdout
    assert "| `authentication required` |" in PAGE.read_text(encoding="utf-8")
    assert "not found" in machine.bash(f"cosign tree {another.environment['IMAGE']}").stdout


def test_a_key_with_another_passphrase_signs_nothing(machine: Machine, job: Job) -> None:
    another = machine.job()
    another.values |= {**job.values, "steps.openbao.outputs.COSIGN_PASSWORD": "another"}
    _log_in(machine)
    done = another.run(SIGN)
    assert done.returncode != 0
    assert "decryption failed" in done.stdout
    assert "| `decryption failed` |" in PAGE.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Platform:
    """The platform's repository, in which the workflow's second job works."""

    checkout: Checkout
    requests: Path  # the arguments of `gh pr create`, one line per call

    @classmethod
    def new(cls, machine: Machine) -> "Platform":
        checkout = Checkout(machine.folder / "platform")
        programs = checkout.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "python").write_text(
            f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8"
        )
        (programs / "python").chmod(0o755)
        shutil.copyfile(ROOT / "requirements.lock", programs.parent / "requirements.lock")
        requests = machine.folder / "requests"
        requests.touch()
        write_program(machine.folder / "bin" / "gh", GH.format(requests=requests))
        platform = cls(checkout, requests)
        machine.prints(f"git init --quiet --bare --initial-branch=main {machine.folder}/origin.git")
        platform.git("init", "--quiet", "--initial-branch=main")
        platform.git("add", ".")
        platform.git(
            "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "Start"
        )
        platform.git("remote", "add", "origin", f"{machine.folder}/origin.git")
        platform.git("push", "--quiet", "origin", "main")
        return platform

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.check_output(command, cwd=self.checkout.folder, text=True)

    def propose(self, machine: Machine, job: Job) -> str:
        """The second job's output; it must succeed. It starts with no branch but `main`."""
        self.git("switch", "--quiet", "main")
        for branch in self.git("branch", "--format=%(refname:short)", "--list", "image/*").split():
            self.git("branch", "--quiet", "--delete", "--force", branch)
        values = {
            "steps.token.outputs.token": "of-an-app",
            "needs.image.outputs.image": job.values["steps.push.outputs.image"],
            "github.server_url": "https://github.com",
            "github.repository": CLAIMS["repository"],
            "github.run_id": "1",
        }
        environment = {**machine.environment, "GITHUB_REF_NAME": TAG}
        proposal = Job("propose", self.checkout.folder, environment, values)
        for step in ("Write the tag into the team's file", "Open a pull request"):
            done = proposal.run(step)
            assert done.returncode == 0, done.stdout
        return "".join(proposal.printed)

    def deployment(self, machine: Machine, tag: str) -> dict[str, Any]:
        """The app's, as the program makes it with this tag."""
        script = f"./sre set-image {TEAM} {APP} {tag} && ./sre render --out rendered"
        done = bash(script, self.checkout.folder, machine.environment)
        assert done.returncode == 0, done.stdout
        file = self.checkout.folder / f"rendered/kubernetes/{TEAM}/Deployment-{APP}.yaml"
        document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        return document


@pytest.fixture(scope="module")
def platform(machine: Machine) -> Platform:
    return Platform.new(machine)


def test_the_tag_arrives_as_a_pull_request(machine: Machine, job: Job, platform: Platform) -> None:
    printed = platform.propose(machine, job)
    assert f"{APP}: v1.0.0 is now {TAG}." in printed
    branch = f"image/{TEAM}-{APP}-{TAG}"
    changed = platform.git("diff", "--unified=0", "main", f"origin/{branch}")
    lines = [line for line in changed.splitlines() if line[0] in "+-" and line[:3] not in SIDES]
    assert [line.split() for line in lines] == [
        ["-", "tag:", '"v1.0.0"'],
        ["+", "tag:", f'"{TAG}"'],
    ]
    (request,) = platform.requests.read_text(encoding="utf-8").splitlines()
    pushed = job.values["steps.push.outputs.image"]
    assert request == (
        f"--base main --head {branch} --title {TEAM}: {APP} {TAG} --body {pushed}, "
        f"from https://github.com/{CLAIMS['repository']}/actions/runs/1"
    )
    # The workflow may run again, before the merge and after it.
    platform.propose(machine, job)
    assert len(platform.requests.read_text(encoding="utf-8").splitlines()) == 1
    platform.git("switch", "--quiet", "main")
    platform.git("merge", "--quiet", f"origin/{branch}")
    assert f"{APP} is at {TAG} already." in platform.propose(machine, job)


@pytest.mark.usefixtures("logged_in")
def test_kyverno_lets_only_signed_images_start(
    machine: Machine, platform: Platform, refused: dict[str, str]
) -> None:
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    policy["spec"]["attestors"][0]["cosign"]["key"]["data"] = machine.public_key
    objects = {"signed": platform.deployment(machine, TAG)}
    for how, tag in {**refused, "not-there": "v9.9.9"}.items():
        objects[how] = _with_image(objects["signed"], f"{HARBOR}/{REPOSITORY}:{tag}")
    objects["initial"] = deepcopy(objects["signed"])
    pod = objects["initial"]["spec"]["template"]["spec"]
    pod["initContainers"] = objects["unsigned"]["spec"]["template"]["spec"]["containers"]
    for name, each in objects.items():
        each["metadata"]["name"] = name
    said = _kyverno(machine, policy, objects.values())
    refusal = ("fail", policy["spec"]["validations"][0]["message"])
    assert said.pop("signed") == {("pass", "success")}
    ((result, message),) = said.pop("not-there")
    assert result == "error"
    assert "MANIFEST_UNKNOWN" in message
    assert said == {name: {refusal} for name in [*refused, "initial"]}
    assert f"| `{refusal[1]}` |" in PAGE.read_text(encoding="utf-8")


@pytest.mark.usefixtures("logged_in")
def test_kyverno_can_ask_for_the_list_of_contents(
    machine: Machine, platform: Platform, refused: dict[str, str]
) -> None:
    by_team = {
        "publicKeys": machine.public_key,
        "rekor": {"ignoreTlog": True},
        "ctlog": {"ignoreSCT": True},
    }
    attestors = [{"entries": [{"keys": by_team}]}]
    verified = {
        "imageReferences": [f"{HARBOR}/{TEAM}/*"],
        "failureAction": "Enforce",
        "mutateDigest": False,
        "verifyDigest": False,
        "attestations": [{"type": "https://spdx.dev/Document", "attestors": attestors}],
    }
    rule = {
        "name": "contents",
        "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
        "verifyImages": [verified],
    }
    policy = {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "contents"},
        "spec": {"rules": [rule]},
    }
    listed = platform.deployment(machine, TAG)
    other = _with_image(listed, f"{HARBOR}/{REPOSITORY}:{refused['other-key']}")
    other["metadata"]["name"] = "other"
    said = _kyverno(machine, policy, [listed, other])
    results = {name: {result for result, _ in verdicts} for name, verdicts in said.items()}
    assert results == {APP: {"pass"}, "other": {"fail"}}


def _kyverno(
    machine: Machine, policy: dict[str, Any], objects: Iterable[dict[str, Any]]
) -> dict[str, set[tuple[str, str]]]:
    """Kyverno's verdicts on each object, by name, and what it says."""
    kyverno = find(KYVERNO, KYVERNO_PUBLISHED)["kyverno"]
    for name, documents in (("policy", [policy]), ("objects", objects)):
        text = yaml.safe_dump_all(documents)
        (machine.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    options = "--resource objects.yaml --registry --policy-report --output-format json"
    done = machine.bash(f"{kyverno} apply policy.yaml {options} 2>kyverno.log")
    said: dict[str, set[tuple[str, str]]] = {}
    for each in json.loads(done.stdout[done.stdout.index("{") :])["results"]:
        verdict = (each["result"], each["message"])
        said.setdefault(each["resources"][0]["name"], set()).add(verdict)
    return said


def _with_image(deployment: dict[str, Any], image: str) -> dict[str, Any]:
    changed = deepcopy(deployment)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return changed
