"""Runs an app's release workflow on this machine, as GitHub's runner does."""

import base64
import json
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.program import ROOT

EXAMPLE = ROOT / "docs/examples/app-pipeline.yaml"
# What GitHub runs for `shell: bash`.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
WITHIN = 300  # seconds
_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")

Done = subprocess.CompletedProcess[str]


def bash(script: str, folder: Path, environment: Mapping[str, str]) -> Done:
    """Run it; `stdout` has its output and its errors."""
    return subprocess.run(
        [*BASH, script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN,
    )


class Job:
    """A job of the workflow, in `folder`.

    `values` are those of GitHub's expressions, such as `vars.OPENBAO_ADDR`; an expression with
    another name is an error. What a step sets, later ones have.
    """

    def __init__(
        self, name: str, folder: Path, environment: Mapping[str, str], values: Mapping[str, str]
    ) -> None:
        workflow = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
        self._steps = {step.get("name"): step for step in workflow["jobs"][name]["steps"]}
        self._folder = folder
        self.environment = {**workflow["env"], **environment}
        self.values = dict(values)
        self.printed: list[str] = []

    def run(self, name: str, **replaced: str) -> Done:
        """Run a step's script, with each word in `replaced` replaced by its value."""
        step = self._steps[name]
        script: str = step["run"]
        for old, new in replaced.items():
            assert old in script, f"{old!r} is not in the step {name!r}"
            script = script.replace(old, new)
        files = {each: self._folder.with_name(each) for each in ("GITHUB_ENV", "GITHUB_OUTPUT")}
        for file in files.values():
            file.write_text("", encoding="utf-8")
        own = {key: self._filled(value) for key, value in step.get("env", {}).items()}
        paths = {each: str(file) for each, file in files.items()}
        done = bash(script, self._folder, {**self.environment, **own, **paths})
        self.printed.append(done.stdout)
        self.environment |= _set_in(files["GITHUB_ENV"])
        for key, value in _set_in(files["GITHUB_OUTPUT"]).items():
            self.values[f"steps.{step['id']}.outputs.{key}"] = value
        return done

    def log_in(self, github: "TokenIssuer", claims: Mapping[str, object]) -> Done:
        """Do what HashiCorp's action does: log in, and set each secret as an output of the step."""
        step = self._steps["Log in to OpenBao"]
        settings = {key: self._filled(str(value)) for key, value in step["with"].items()}
        assert (settings["method"], settings["exportEnv"]) == ("jwt", "False")
        token = github.token(settings["jwtGithubAudience"], claims)
        login = f"bao write -field=token auth/jwt/login role={settings['role']} jwt={token}"
        done = bash(login, self._folder, self.environment)
        if done.returncode:
            return done
        environment = {**self.environment, "BAO_TOKEN": done.stdout}
        for line in settings["secrets"].split(";"):
            path, key, _, name = line.split()
            read = bash(f"bao read -format=json {path}", self._folder, environment)
            assert read.returncode == 0, read.stdout
            value = json.loads(read.stdout)["data"]["data"][key]
            self.values[f"steps.{step['id']}.outputs.{name}"] = value
        return done

    def _filled(self, text: str) -> str:
        return _EXPRESSION.sub(lambda match: self.values[match[1]], text)


def _set_in(file: Path) -> dict[str, str]:
    """The lines `name=value` that a step has written."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


class TokenIssuer:
    """Signs what GitHub says about a job."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public_key(self) -> str:
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def token(self, audience: str, claims: Mapping[str, object]) -> str:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 600}
        parts = ({"alg": "RS256", "typ": "JWT"}, {"aud": audience, **times, **claims})
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), SHA256())
        return f"{text}.{_base64(signature)}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
