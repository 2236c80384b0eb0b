"""Fixtures: the program as run under mocks, for any team files and settings."""

import gc
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import pytest

from dryrun.recording import record
from sandbox.servers.keys import Keys
from specs.settings import PREFIX
from tests.program import KEYS, MOUNTED, ROOT, TEAMS, Made, read_yaml
from tests.warm_python import LOADED, warm_python
from tests.written import ISTIO, KEYS_STACK, dev_settings

# Of what hypothesis draws: the same few in every run, and `--hypothesis-profile=nightly` others and
# many more.
_DRAWN = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile(
    "few", **_DRAWN, max_examples=20, derandomize=True, database=None
)
hypothesis.settings.register_profile("nightly", **_DRAWN, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile("few")

# Few collections, as each walks what the SDKs and thousands of tests are made of.
gc.set_threshold(100_000, 20, 100)

# A shell starts what runs in the background deaf to Ctrl-C, and so each of its children: those that
# tests interrupt would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What on a developer's machine would change what the SDKs send.
_FOREIGN = ("KUBECONFIG", "HARBOR_", "VAULT_", "PULUMI_")

Program = Callable[..., Made]


def pytest_collection_finish() -> None:
    """What is loaded and collected stays: no collection walks it again."""
    gc.freeze()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """`program(*team_files, environment={...}, before={...}, **settings)`: what a stack registers.

    Team files are YAML text. Settings are named as in `Pulumi.<stack>.yaml` without their prefix;
    the stack holds all the teams unless they say otherwise. `before` is what its state has. Equal
    runs are run once.
    """
    done: dict[str, Made] = {}

    def run(
        *team_files: str,
        environment: Mapping[str, str] | None = None,
        before: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Made:
        key = json.dumps([team_files, environment, before, settings], sort_keys=True)
        if key not in done:
            folder = tmp_path_factory.mktemp("tenants")
            _write(team_files, folder)
            shutil.copytree(MOUNTED, folder / MOUNTED.name)  # what some of them mount
            config = {
                "teams": "*",
                "tenants": str(folder),
                "kubernetes": {"clusterIdentifier": "test"},
                "istio": ISTIO,
                **settings,
            }
            with _clean_environment(environment or {}):
                recording = record(
                    ROOT, "test", {PREFIX + name: value for name, value in config.items()}, before
                )
            done[key] = Made(recording)
            # The SDKs' modules are 100,000 objects that every collection would walk again.
            gc.freeze()
        return done[key]

    return run


@pytest.fixture(scope="session")
def everything(program: Program) -> Made:
    """The shipped teams and some that use every key, in a stack that makes all it can."""
    files = [*sorted((ROOT / "tenants").glob("*.yaml")), TEAMS / "team-gamma.yaml", *KEYS]
    return program(
        *(file.read_text() for file in files),
        platform=True,
        kubernetes={"clusterIdentifier": "test", "podSecurity": "restricted"},
        openbao={"oidcAccessor": "auth_oidc_1a2b3c4d"},
        harbor={"sharedProjects": ["base-images"]},
        namespace=dev_settings().namespace.model_dump(mode="json", by_alias=True),
        **KEYS_STACK,
    )


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """A `python` for commands, which has the SDKs loaded."""
    with warm_python(*LOADED) as program:
        yield program


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A CA, and the certificate of servers on this machine."""
    return _made_keys(tmp_path_factory)


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Those of another CA."""
    return _made_keys(tmp_path_factory)


def _made_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    made = Keys(tmp_path_factory.mktemp("keys"))
    made.make()
    return made


def _write(team_files: tuple[str, ...], folder: Path) -> None:
    for text in team_files:
        (folder / f"{read_yaml(text)['team']}.yaml").write_text(text)


def _clean_environment(environment: Mapping[str, str]) -> Any:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return mock.patch.dict(os.environ, {**kept, **environment}, clear=True)
