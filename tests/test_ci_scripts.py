"""What CI does beside Pulumi: its login to OpenBao, its comment on a pull request, its issue."""

import json
import os
import subprocess
import threading
from collections.abc import Generator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.written import ROOT
from tools.review.stacks_report import LIMIT, report

pytestmark = pytest.mark.commands

SECRET = {
    "HARBOR_USERNAME": "sre-ci",
    "HARBOR_PASSWORD": "correct horse; $(id) \"battery\" 'staple'",
    "PULUMI_CONFIG_PASSPHRASE": "öl",
    "KUBECONFIG": "apiVersion: v1\nkind: Config\n",
}


class Answers(BaseHTTPRequestHandler):
    """GitHub's OIDC provider, and an OpenBao that trusts it: a path's answer, if all is right."""

    secret: Mapping[str, str] | None = SECRET
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/oidc?") and self.headers["Authorization"] == "Bearer asks":
            self._answer({"value": "a JWT"})
        elif self.path == "/v1/sre-ci/data/preview" and self.headers["X-Vault-Token"] == "hvs.1":
            self._answer({"data": {"data": self.secret}})
        else:
            self.send_error(403)

    def do_POST(self) -> None:
        login = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/auth/jwt/login" and login == {"jwt": "a JWT", "role": "previews"}:
            self._answer({"auth": {"client_token": "hvs.1"}})
        else:
            self.send_error(400)

    def _answer(self, document: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def job() -> Generator[dict[str, str]]:
    """The variables of a job on GitHub that may log in as `previews`."""
    Answers.secret, Answers.asked = SECRET, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/oidc?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "asks",
            "VAULT_ADDR": address,
            "OPENBAO_ROLE": "previews",
            "OPENBAO_SECRET": "sre-ci/data/preview",
        }
        server.shutdown()


def with_credentials(
    job: Mapping[str, str], *command: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "no_proxy": "127.0.0.1", **job, **changes}
    return subprocess.run(
        [str(ROOT / "scripts/with-credentials"), *command],
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_command_gets_what_the_secret_holds_and_the_token(job: dict[str, str]) -> None:
    shown = "import json, os; print(json.dumps(dict(os.environ)))"
    run = with_credentials(job, "python3", "-c", shown)
    assert run.returncode == 0, run.stderr
    variables = json.loads(run.stdout.splitlines()[-1])
    assert variables["VAULT_TOKEN"] == "hvs.1"
    for name in ("HARBOR_USERNAME", "HARBOR_PASSWORD", "PULUMI_CONFIG_PASSPHRASE"):
        assert variables[name] == SECRET[name]
    assert not {"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "identity", "login", "secret"} & set(variables)


@pytest.mark.parametrize("name", ["KUBECONFIG", "KUBECONFIG__PROD_EU"])
def test_a_kubeconfig_is_a_temporary_file_that_only_its_owner_can_read(
    job: dict[str, str], name: str
) -> None:
    Answers.secret = {"KUBECONFIG": "of all", name: SECRET["KUBECONFIG"]}
    shown = f'stat -c %a "${name}"; cat "${name}"; echo "${name}"'
    *_, mode, first, second, path = with_credentials(job, "bash", "-c", shown).stdout.splitlines()
    assert (mode, first, second) == ("600", "apiVersion: v1", "kind: Config")
    assert not Path(path).exists()


def test_github_learns_what_to_mask(job: dict[str, str]) -> None:
    run = with_credentials(job, "true")
    assert run.stdout.splitlines() == [
        "::add-mask::hvs.1",
        f"::add-mask::{SECRET['HARBOR_PASSWORD']}",
        f"::add-mask::{SECRET['PULUMI_CONFIG_PASSPHRASE']}",
    ]


def test_a_secret_of_several_lines_is_masked_whole_whatever_its_name(job: dict[str, str]) -> None:
    public = {"HARBOR_URL": "https://h", "HARBOR_USERNAME__PROD_EU": "deploy"}
    Answers.secret = {"GOOGLE_CREDENTIALS": "first\nsecond 100%", **public}
    shown = with_credentials(job, "true").stdout.splitlines()
    assert shown == ["::add-mask::hvs.1", "::add-mask::first%0Asecond 100%25"]


def test_the_commands_exit_code_is_passed_on(job: dict[str, str]) -> None:
    assert with_credentials(job, "bash", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VAULT_ADDR": ""}, "VAULT_ADDR is not set"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "This job has no OIDC token"),
        ({"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong"}, "GitHub's OIDC provider did not answer"),
        ({"OPENBAO_ROLE": "production"}, "OpenBao's login for role production did not answer"),
        ({"OPENBAO_SECRET": "sre-ci/data/x"}, "OpenBao at sre-ci/data/x did not answer"),
    ],
)
def test_a_job_that_may_not_log_in_runs_nothing(
    job: dict[str, str], changes: dict[str, str], said: str
) -> None:
    run = with_credentials(job, "echo", "it ran", **changes)
    assert run.returncode == 1
    assert run.stderr.startswith(said)
    assert run.stderr.count("\n") == 1
    assert "it ran" not in run.stdout


def test_a_missing_secret_is_not_an_empty_one(job: dict[str, str]) -> None:
    Answers.secret = None
    run = with_credentials(job, "echo", "it ran")
    told = "OpenBao has no credentials at sre-ci/data/preview; see docs/ci.md.\n"
    assert (run.returncode, run.stderr) == (1, told)
    assert "it ran" not in run.stdout


def test_a_key_that_is_not_a_variables_name_is_refused(job: dict[str, str]) -> None:
    Answers.secret = {"a-b": "x"}
    run = with_credentials(job, "echo", "it ran")
    told = "'a-b' in sre-ci/data/preview is not a valid variable name.\n"
    assert (run.returncode, run.stderr) == (1, told)


def results(folder: Path, **files: str) -> Path:
    """A folder of results; `__` stands for a dot in the names."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_a_report_has_a_stacks_diff_and_below_it_the_preview(tmp_path: Path) -> None:
    log = "+ 1\nOutcome: changed"
    text = report("Review", results(tmp_path, a__diff__md="**more**\n", a__preview__txt=f"{log}\n"))
    assert text == (
        "<!-- sre-platform: Review -->\n## Review\n\n**1 stack, preview: 1 changed**\n\n"
        "### a: diff\n\n**more**\n\n\n"
        f"<details><summary>a: preview</summary>\n\n```text\n{log}\n```\n</details>\n"
    )


def test_a_report_begins_with_the_totals_of_all_stacks(tmp_path: Path) -> None:
    for number, outcome in enumerate((*["unchanged"] * 30, *["changed"] * 5)):
        (tmp_path / f"s{number}.preview.txt").write_text(f"said\nOutcome: {outcome}\n")
    failures = {
        "a__preview__txt": "Outcome: refused\nFAILED: a.yaml:1:1: team: is wrong\n",
        "b__preview__txt": "Outcome: of the program\n",  # the job was ended before the outcome
    }
    text = report("Review", results(tmp_path, notes__md="stack c is gone\n", **failures))
    total = "**37 stacks, preview: 30 unchanged, 5 changed, 1 refused, 1 failed**"
    assert text.splitlines()[3:6] == [total, "", "stack c is gone"]


def test_a_log_that_was_cut_off_is_a_failure_too(tmp_path: Path) -> None:
    text = report("Drift", results(tmp_path, a__drift__txt="+ 1\n"))
    assert "**1 stack, drift: 1 failed**" in text
    assert "<details open><summary>a: drift failed</summary>" in text


def test_the_output_of_a_failed_diff_is_not_markdown(tmp_path: Path) -> None:
    said = "tenants/a.yaml:1:1: <img src=x> @org/team: **approved**\nFAILED: exit code 1"
    text = report("Review", results(tmp_path, a__diff__md=said))
    assert (
        text.index("a: diff failed")
        < text.index("```text")
        < text.index("<img")
        < text.rindex("```")
    )


def test_a_report_on_nothing_says_so(tmp_path: Path) -> None:
    assert report("Review", tmp_path).endswith("\nNo stack is affected.")


def test_notes_come_first(tmp_path: Path) -> None:
    text = report("Review", results(tmp_path, notes__md="stack b is gone\n", a__diff__md="x"))
    assert text.index("stack b is gone") < text.index("### a: diff")


def test_a_failure_is_open_and_in_its_title(tmp_path: Path) -> None:
    output = "error: no\nFAILED: exit code 1\n"
    text = report("Review", results(tmp_path, a__preview__txt=output))
    assert "<details open><summary>a: preview failed</summary>" in text


def test_what_is_shown_cannot_end_its_fence(tmp_path: Path) -> None:
    output = "```\n</details>\n````\n@everyone"
    text = report("Review", results(tmp_path, a__preview__txt=output))
    assert f"`````text\n{output}\n`````" in text


@pytest.mark.parametrize(("stacks", "lines"), [(1, 30_000), (3, 30_000), (2000, 10)])
def test_a_report_is_no_longer_than_github_accepts(tmp_path: Path, stacks: int, lines: int) -> None:
    for number in range(stacks):
        (tmp_path / f"s{number}.diff.md").write_text("small")
        (tmp_path / f"s{number}.preview.txt").write_text("line\n" * lines + f"end of {number}")
    text = report("Review", tmp_path)
    assert len(text) <= LIMIT < 65_536
    if stacks == 3:
        assert len(text) > LIMIT - 1000
        assert all(f"s{number}: diff\n\nsmall" in text for number in range(stacks))
        assert all(f"end of {number}\n```" in text for number in range(stacks))


def test_a_diff_that_does_not_fit_is_left_out_whole(tmp_path: Path) -> None:
    long = "<details>\n" + "x" * LIMIT + "\n</details>"
    text = report("Review", results(tmp_path, a__diff__md=long, b__diff__md="small"))
    assert "xxx" not in text
    assert "### a: diff\n\n_Too long to show here" in text
    assert "### b: diff\n\nsmall" in text


# `gh`, as far as it is used here: it answers from $ANSWER and records its arguments.
GH = """#!/bin/bash
while [ $# -gt 0 ]; do
  [ "$1" = --jq ] && { jq --raw-output "$2" <<<"$ANSWER"; exit; }
  said+=("$1")
  shift
done
echo "${said[*]}" >>"$TOLD"
"""


@pytest.fixture
def gh(tmp_path: Path) -> Any:
    """`gh(answer, script, argument, ...)`: the calls of gh that a script makes."""
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)
    told = tmp_path / "told"

    def run(answer: Any, script: str, *arguments: str) -> list[str]:
        told.write_text("")
        path = f"{program.parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "ANSWER": json.dumps(answer), "TOLD": str(told)}
        subprocess.run([str(ROOT / "scripts" / script), *arguments], env=environment, check=True)
        return told.read_text().splitlines()

    return run


def comment(body: str, url: str, ours: bool = True) -> dict[str, Any]:
    return {
        "body": body,
        "url": f"https://example/pull/7#issuecomment-{url}",
        "viewerDidAuthor": ours,
    }


def test_a_comment_is_written_once_and_then_edited(gh: Any, tmp_path: Path) -> None:
    file = tmp_path / "comment.md"
    file.write_text("<!-- mark -->\nNews")
    others = [comment("<!-- mark -->\nNot ours", "1", ours=False), comment("Ours, another", "2")]
    first = gh({"comments": others}, "comment", "7", str(file))
    assert first == [f"pr comment 7 --body-file {file}"]
    again = gh(
        {"comments": [*others, comment("<!-- mark -->\nOld", "3")]}, "comment", "7", str(file)
    )
    place = "repos/{owner}/{repo}/issues/comments/3"
    assert again == [f"api --silent --method PATCH {place} --field body=@{file}"]


def test_drift_has_one_issue_which_is_closed_when_it_is_gone(gh: Any, tmp_path: Path) -> None:
    file = tmp_path / "drift.md"
    file.write_text("News")
    made = gh([], "drift-issue", str(file))
    assert made[-1] == f"issue create --title Drift --label drift --body-file {file}"
    assert gh([{"number": 7}], "drift-issue", str(file)) == [f"issue edit 7 --body-file {file}"]
    file.write_text("")
    assert gh([], "drift-issue", str(file)) == []
    (closed,) = gh([{"number": 7}], "drift-issue", str(file))
    assert closed.startswith("issue close 7 --comment ")
