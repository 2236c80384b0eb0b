"""The workflows: what actionlint says, and what an attacker or an operator would look for."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from binaries import pinned, pulumi_cli
from cli.__main__ import COMMANDS
from tests.program import as_yaml, read_yaml
from tests.stages import STAGES
from tests.written import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*"))
EXAMPLE = ROOT / "docs/examples/app-pipeline.yaml"
ALL = [*WORKFLOWS, EXAMPLE]

# A condition that keeps a job from running for a fork, or for Dependabot.
OWN = "github.event.pull_request.head.repo.full_name == github.repository"

every = pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)


class Job(NamedTuple):
    file: Path
    name: str
    says: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        return self.says.get("steps", [])


def read(file: Path) -> dict[str, Any]:
    data = read_yaml(file.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in data.items()}  # YAML 1.1's `on`


def jobs(*files: Path) -> Iterator[Job]:
    for file in files:
        for name, says in read(file)["jobs"].items():
            yield Job(file, name, says)


def scripts(*files: Path) -> Iterator[str]:
    """What the steps run, with the commands that callers hand on in place of `$COMMAND`."""
    commands = {job.says["with"]["command"] for job in jobs(*ALL) if "with" in job.says}
    for job in jobs(*files):
        for step in job.steps:
            if "run" in step:
                text = step["run"].replace("\\\n", " ")
                yield from {text.replace("$COMMAND", command) for command in commands}


def for_forks() -> list[Job]:
    """Jobs that run for a fork's pull request."""
    asked = [file for file in WORKFLOWS if "pull_request" in read(file)["on"]]
    return [job for job in jobs(*asked) if OWN not in job.says.get("if", "")]


@pytest.fixture(scope="session")
def actionlint(request: pytest.FixtureRequest) -> Path:
    # The first time it is built, which is worth a line.
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return pinned.find(pinned.ACTIONLINT, pinned.ACTIONLINT_PUBLISHED)["actionlint"]


@pytest.mark.commands
@every
def test_actionlint_has_nothing_to_say(actionlint: Path, file: Path) -> None:
    # Without the other linters that it runs where they happen to be there.
    command = [str(actionlint), "-no-color", "-shellcheck=", "-pyflakes=", str(file)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@every
def test_every_action_is_pinned_by_digest_with_its_version_beside_it(file: Path) -> None:
    used = re.findall(r"^ *(?:- )?uses: (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    pinned = re.compile(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/\S+\.yaml")
    assert used
    assert [each for each in used if not pinned.fullmatch(each)] == []


def test_an_action_has_one_version_in_all_files() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in ALL)
    used = {tuple(each.split("@")) for each in re.findall(r"uses: (\S+@.*)$", text, re.MULTILINE)}
    assert len(used) == len({action for action, _ in used})


@every
def test_a_job_may_do_what_it_says_and_no_more(file: Path) -> None:
    assert read(file)["permissions"] == {}
    assert [job.name for job in jobs(file) if "permissions" not in job.says] == []
    granted = {
        right
        for job in jobs(file)
        for right, may in job.says["permissions"].items()
        if may == "write"
    }
    assert granted <= {"id-token", "pull-requests", "issues"}


@every
def test_no_script_has_an_expression_pasted_into_it(file: Path) -> None:
    assert [script for script in scripts(file) if "${{" in script] == []


@every
def test_every_job_ends_in_time_and_every_script_at_its_first_error(file: Path) -> None:
    own = [job for job in jobs(file) if "steps" in job.says]
    assert [job.name for job in own if job.says.get("timeout-minutes", 999) > 90] == []
    default = read(file).get("defaults", {}).get("run", {}).get("shell")
    shells = [step.get("shell", default) for job in own for step in job.steps if "run" in step]
    assert set(shells) <= {"bash"}  # with -e and pipefail, which GitHub's default lacks


@every
def test_no_checkout_leaves_a_token_behind(file: Path) -> None:
    checkouts = [
        step["with"]["persist-credentials"]
        for job in jobs(file)
        for step in job.steps
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert set(checkouts) <= {False}


def test_a_fork_gets_no_credentials_and_may_only_read() -> None:
    assert {job.name for job in for_forks()} == {"validate", "diff", "stage", "test"}
    for job in for_forks():
        text = as_yaml(job.says)
        assert job.says["permissions"] == {"contents": "read"}, job.name
        assert "environment" not in job.says, job.name
        assert not re.search(r"secrets|github\.token|vars\.", text), job.name
        assert job.says["runs-on"] == "ubuntu-24.04", job.name  # not a person's machine


@every
def test_nothing_runs_a_forks_code_with_the_rights_of_main(file: Path) -> None:
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(read(file)["on"])


def test_no_cache_carries_files_into_a_run_that_has_credentials() -> None:
    caching = {file.name for file in ALL if "cache" in file.read_text(encoding="utf-8")}
    assert caching == {"test.yaml"}
    assert {job.name for job in for_forks() if job.file.name == "test.yaml"} == {"stage", "test"}


def test_a_cache_is_used_only_if_its_sources_are_the_same() -> None:
    (step,) = (
        step
        for job in jobs(ROOT / ".github/workflows/test.yaml")
        for step in job.steps
        if "cache@" in step.get("uses", "")
    )
    assert step["with"].keys() == {"path", "key"}  # no `restore-keys`, which take what is similar
    assert step["with"]["path"] == "~/.cache/sre-platform"
    assert step["with"]["key"].endswith("-${{ hashFiles('binaries/**') }}")
    built_from = (pinned.GO_MODULES, Path(pinned.__file__), Path(pulumi_cli.__file__))
    assert [each for each in built_from if not each.is_relative_to(ROOT / "binaries")] == []


def test_every_stage_of_the_tests_runs_in_a_job() -> None:
    (job,) = (job for job in jobs(ROOT / ".github/workflows/test.yaml") if job.name == "stage")
    named = [one["stages"].split() for one in job.says["strategy"]["matrix"]["include"]]
    assert sorted(stage for stages in named for stage in stages) == sorted(STAGES)


def test_the_token_that_comments_runs_mains_scripts() -> None:
    (job,) = (job for job in jobs(*WORKFLOWS) if "pull-requests" in job.says["permissions"])
    (checkout,) = (step for step in job.steps if "checkout@" in step.get("uses", ""))
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_output_that_tells_github_what_to_mask_is_stored_nowhere() -> None:
    lines = [
        line
        for script in scripts(*WORKFLOWS)
        for line in script.splitlines()
        if "with-credentials" in line
    ]
    assert lines
    assert [line for line in lines if re.search(r"[|<>&]", line)] == []


def test_only_main_is_deployed_and_one_run_at_a_time() -> None:
    deploy = read(ROOT / ".github/workflows/deploy.yaml")
    assert deploy["on"]["push"] == {"branches": ["main"]}
    assert deploy["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert deploy["jobs"]["affected"]["if"] == "github.ref == 'refs/heads/main'"
    assert deploy["jobs"]["teams"]["needs"] == ["affected", "platform"]


def test_only_main_reaches_production() -> None:
    reaching = [job for job in jobs(*WORKFLOWS) if "production" in as_yaml(job.says)]
    assert {job.file.name for job in reaching} == {"deploy.yaml"}


def test_nothing_but_deploy_changes_anything() -> None:
    commands = {
        (job.file.name, job.says["with"]["command"])
        for job in jobs(*WORKFLOWS)
        if "stack.yaml" in job.says.get("uses", "")
    }
    assert commands == {
        ("pull-request.yaml", "preview"), ("deploy.yaml", "up"), ("drift.yaml", "drift")
    }  # fmt: skip


def test_the_steps_are_existing_commands() -> None:
    targets = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {module.__name__.rpartition(".")[2].replace("_", "-") for module in COMMANDS}
    text = "\n".join(scripts(*ALL))
    called = [file.read_text(encoding="utf-8") for file in (ROOT / "scripts").iterdir()]
    made = set(re.findall(r'\bmake (?:--silent )?"?([\w$-]+)', text))
    asked = set(re.findall(r"\./sre ([\w-]+)", "\n".join([text, *called])))
    ours = set(re.findall(r"(?<![\w/])((?:scripts|\.ci)/[\w-]+)", text))
    modules = set(re.findall(r"python3 -m (\S+)", text))
    assert made >= {"stack-diff"}
    assert made <= set(targets)
    assert {"diff", "doctor", "fleet", "set-image", "validate"} <= asked <= known
    assert [script for script in ours if not os.access(ROOT / script, os.X_OK)] == []
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


Script = Callable[..., str]


@pytest.fixture
def last_step(tmp_path: Path) -> Script:
    """`last_step(workflow, job, files, ...)`: what it prints; `gh` does nothing."""

    def run(workflow: str, name: str, files: Mapping[str, str], **environment: str) -> str:
        (job,) = [each for each in jobs(ROOT / ".github/workflows" / workflow) if each.name == name]
        programs = {
            "bin/gh": '#!/bin/bash\necho "gh $*"',
            "bin/python3": f'#!/bin/bash\nexec {sys.executable} "$@"',
            "scripts/comment": "#!/bin/bash\ncat $2",
            "scripts/drift-issue": "#!/bin/bash\ncat $1",
        }
        for path, text in {**programs, **files}.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
            (tmp_path / path).chmod(0o755)
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", job.steps[-1]["run"]],
            cwd=tmp_path,
            env={
                "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "GITHUB_STEP_SUMMARY": "/dev/null",
                **environment,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return run


@pytest.mark.commands
@pytest.mark.parametrize(
    ("diff", "preview"),
    [
        ("success", "success"),
        ("success", "skipped"),
        ("success", "failure"),
        ("failure", "success"),
    ],
)
def test_a_comment_says_that_stacks_are_missing_and_a_failed_diff_asks_for_a_second_reviewer(
    last_step: Script, diff: str, preview: str
) -> None:
    files = {"results/team-alpha.diff.md": "Nothing differs."}
    said = last_step("pull-request.yaml", "comment", files, NUMBER="7", DIFF=diff, PREVIEW=preview)
    failed = diff == "failure"
    assert ("--add-label second-reviewer" in said) is failed
    assert ("**Not every stack could be compared**" in said) is failed
    assert ("**Not every stack could be previewed**" in said) is (preview == "failure")


@pytest.mark.commands
@pytest.mark.parametrize("drift", ["success", "failure"])
def test_the_drift_issue_says_that_stacks_are_missing(last_step: Script, drift: str) -> None:
    said = last_step("drift.yaml", "report", {}, DRIFT=drift, RUN="https://example.com/runs/7")
    assert ("**Stacks differ, or could not be compared**" in said) is (drift == "failure")
    assert ("From https://example.com/runs/7" in said) is (drift == "failure")


def test_the_pulumi_cli_is_the_sandboxs() -> None:
    text = (ROOT / ".github/workflows/stack.yaml").read_text(encoding="utf-8")
    assert re.findall(r"pulumi-version: (.*)", text) == [str(pulumi_cli.VERSION)]


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("app-pipeline.md", "app-pipeline.yaml"),
        ("app-pipeline.md", "signed-images.yaml"),
        ("exceptions.md", "writable-root.yaml"),
    ],
)
def test_the_page_shows_the_files_that_are_checked(page: str, name: str) -> None:
    shown = (ROOT / "docs" / page).read_text(encoding="utf-8")
    example = (ROOT / "docs/examples" / name).read_text(encoding="utf-8")
    assert f"```yaml\n{example}```\n" in shown


@pytest.mark.parametrize(
    ("setting", "release"),
    [("cosign-release", pinned.COSIGN), ("syft-version", pinned.SYFT)],
    ids=lambda value: value if isinstance(value, str) else value.folder,
)
def test_an_apps_pipeline_runs_the_versions_that_are_tested(
    setting: str, release: pinned.Release
) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert re.findall(rf"{setting}: (.*)", text) == [f"v{release.version}"]
