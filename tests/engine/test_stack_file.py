"""A stack's file as Pulumi's own CLI leaves it, which rewrites what it does not change too."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from binaries import pulumi_cli
from specs.stack_file import CLUSTER, TEAMS, decoded, read_stack, stack_names
from tests.written import ROOT
from tools.editing.cluster import new_cluster
from tools.review.affected import stacks

pytestmark = pytest.mark.engine

NAMES = stack_names(ROOT)


class Cli:
    """The CLI in a project with the shipped stacks' files, and a backend of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Pulumi.yaml", *(f"Pulumi.{name}.yaml" for name in NAMES)):
            shutil.copyfile(ROOT / name, folder / name)
        for name in ("tenants", "clusters"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "state").mkdir()
        self._command = pulumi_cli.find().command

    def run(self, *arguments: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
        done = subprocess.run(
            [self._command, "--non-interactive", *arguments],
            cwd=self.folder,
            env={
                **kept,
                "PULUMI_HOME": str(self.folder / "home"),
                "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "a passphrase",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_a_stack_that_was_made_is_read_as_before(cli: Cli) -> None:
    before = [read_stack(cli.folder, name) for name in NAMES]
    order = stacks(cli.folder)
    for name in NAMES:
        cli.run("stack", "init", name)
    for name in NAMES:
        assert "encryptionsalt: v1:" in (cli.folder / f"Pulumi.{name}.yaml").read_text()
    assert 'platform: "true"' in (cli.folder / "Pulumi.platform.yaml").read_text()
    assert [read_stack(cli.folder, name) for name in NAMES] == before
    assert stacks(cli.folder) == order


def test_a_setting_that_the_cli_sets_replaces_the_cluster_s_until_it_is_removed(cli: Cli) -> None:
    cli.run("stack", "init", "team-alpha")
    before = read_stack(cli.folder, "team-alpha")
    cli.run("config", "set", "--path", "sre-platform:kubernetes.context", "other")
    told = json.loads(cli.run("config", "--json"))
    given = {key: decoded(key, entry["value"]) for key, entry in told.items()}
    settings, problems = read_stack(cli.folder, "team-alpha", given)
    assert problems == []
    assert settings
    assert settings.kubernetes.context == "other"
    assert settings.kubernetes.cluster_identifier == "sre-production"
    cli.run("config", "rm", "--path", "sre-platform:kubernetes.context")
    cli.run("config", "rm", "sre-platform:kubernetes")
    assert read_stack(cli.folder, "team-alpha") == before


def test_the_cli_shows_and_changes_the_stack_s_own_settings_and_leaves_the_rest(cli: Cli) -> None:
    cli.run("stack", "init", "team-alpha")
    file = cli.folder / "Pulumi.team-alpha.yaml"
    before = file.read_text()
    assert before.startswith("# The production form")
    assert json.loads(cli.run("config", "--json")).keys() == {CLUSTER, TEAMS}
    cli.run("config", "set", "sre-platform:guardrails", "audit")
    assert cli.run("config", "get", "sre-platform:guardrails") == "audit\n"
    salt = before.index("encryptionsalt")
    own = "  sre-platform:guardrails: audit\n"
    assert file.read_text() == f"{before[:salt]}{own}{before[salt:]}"
    cli.run("config", "rm", "sre-platform:guardrails")
    assert file.read_text() == before
    # Its cluster's file has it.
    with pytest.raises(subprocess.CalledProcessError):
        cli.run("config", "get", "sre-platform:guardrails")


def test_settings_that_the_cli_has_set_can_move_to_a_cluster_s_file(cli: Cli) -> None:
    cli.run("stack", "init", "dev")
    cli.run("config", "set", "sre-platform:metrics", '{"scrape": "plain"}')
    cli.run("config", "set", "--path", "sre-platform:harbor.sharedProjects[1]", "more-images")
    before, _ = read_stack(cli.folder, "dev")
    salt = (cli.folder / "Pulumi.dev.yaml").read_text().rpartition("encryptionsalt: ")[2]
    new_cluster(cli.folder, "sre-dev", ["dev"])
    assert before
    after = before.model_copy(update={"cluster": "sre-dev"})
    assert read_stack(cli.folder, "dev") == (after, [])
    assert (cli.folder / "Pulumi.dev.yaml").read_text().endswith(f"encryptionsalt: {salt}")
    told = json.loads(cli.run("config", "--json"))
    given = {key: decoded(key, entry["value"]) for key, entry in told.items()}
    assert read_stack(cli.folder, "dev", given) == (after, [])
    cli.run("config", "set", "sre-platform:guardrails", "audit")
    changed, _ = read_stack(cli.folder, "dev")
    assert changed == after.model_copy(update={"guardrails": "audit"})


def test_a_setting_that_the_cli_sets_means_what_the_program_gets(cli: Cli) -> None:
    cli.run("stack", "init", "dev")
    for arguments in (
        ("sre-platform:adopt", "true"),
        ("--path", "sre-platform:platform", "false"),
        ("--path", "sre-platform:manage.harbor", "false"),
        ("--path", "sre-platform:istio.gateways[0]", "istio-system/other"),
        ("--path", "sre-platform:harbor.sharedProjects[1]", "more-images"),
        ("--path", "sre-platform:openbao.skipChildToken", "true"),
        ("--plaintext", "sre-platform:externalSecrets", '{"secretStore": "tenant"}'),
        ("sre-platform:teams", '["team-alpha"]'),
        ("sre-platform:guardrails", "audit"),
        ("sre-platform:tenants", "2027"),
    ):
        cli.run("config", "set", *arguments)
    (cli.folder / "tenants").rename(cli.folder / "2027")
    told = json.loads(cli.run("config", "--json"))
    settings, problems = read_stack(cli.folder, "dev")
    assert problems == []
    assert settings
    assert (settings.adopt, settings.platform, settings.teams) == (True, False, ("team-alpha",))
    given = {key: decoded(key, entry["value"]) for key, entry in told.items()}
    assert read_stack(cli.folder, "dev", given) == (settings, [])


def test_a_stack_that_has_nothing_is_removed_with_its_file(cli: Cli) -> None:
    cli.run("stack", "init", "team-beta")
    cli.run("stack", "rm", "--yes", "team-beta")
    assert "team-beta" not in stack_names(cli.folder)
