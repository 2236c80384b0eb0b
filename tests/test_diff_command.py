"""`./sre diff` in clones of the checkout: what it tells of a change, and how it ends."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from tests.repository import Repository
from tests.written import ROOT
from tools.rendering.documents import Rendered, rendered

pytestmark = pytest.mark.commands

ALPHA, BETA = "tenants/team-alpha.yaml", "tenants/team-beta.yaml"
DEV, CLUSTER = "Pulumi.dev.yaml", "clusters/sre-production.yaml"

_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".sandbox", "__pycache__", ".*_cache"),
    *("tests", "docs", "bench", "crds", "findings", "schemas", "sandbox", ".github"),
    # Those of other commands.
    *("doctor", "isolation", "migration"),
)


@dataclass(frozen=True)
class Clone:
    """A clone whose branch `base` is the checkout as it is, and how the command answers in it."""

    repository: Repository
    capsys: pytest.CaptureFixture[str]

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.repository.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def diff(self, *options: str, base: str = "base") -> tuple[int, str, str]:
        """Exit code, output and errors."""
        code = main(["diff", "--base", base, *options])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def json(self, *options: str) -> tuple[int, dict[str, Any]]:
        code, said, _ = self.diff("--format", "json", *options)
        return code, json.loads(said)

    def found(self, *options: str) -> tuple[int, set[str]]:
        """Exit code, and the findings by their ids."""
        code, said = self.json(*options)
        return code, {finding["id"] for finding in said["findings"]}


Once = Callable[..., Rendered]


@pytest.fixture(scope="module")
def once() -> Once:
    """Renders a side as the command does; equal ones once, as most tests share theirs.

    The code is this process's for all of them.
    """
    done: dict[str, Rendered] = {}

    def once(root: Path, stack: str, *arguments: Any, **options: Any) -> Rendered:
        teams = [file for file in (root / "tenants").rglob("*") if file.is_file()]
        stacks = [root / f"Pulumi.{stack}.yaml", *(root / "clusters").iterdir()]
        files = [root / "__main__.py", *stacks, *teams]
        digest = hashlib.sha256(stack.encode())
        for file in sorted(files):
            digest.update(f"\0{file.relative_to(root)}\0".encode() + file.read_bytes())
        key = digest.hexdigest()
        if key not in done:
            done[key] = rendered(root, stack, *arguments, **options)
        return done[key]

    return once


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("repository") / "clone")
    shutil.copytree(ROOT, made.root, ignore=_LEFT_OUT, dirs_exist_ok=True)
    made.write(".gitignore", "__pycache__/\n")
    made.commit()
    made.git("branch", "base")
    return made


@pytest.fixture
def clone(
    repository: Repository,
    once: Once,
    warm: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Clone]:
    monkeypatch.setattr("tools.review.sides.rendered", once)
    monkeypatch.setattr("sys.executable", str(warm))
    for module in ("stack_options", "diff"):
        monkeypatch.setattr(f"cli.{module}.ROOT", repository.root)
    first = repository.git("rev-parse", "base")
    yield Clone(repository, capsys)
    repository.git("reset", "--quiet", "--hard", first)
    repository.git("clean", "--quiet", "-fd")
    repository.git("branch", "--force", "base", first)


def _in_a_process(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command with the clone's own program, as `./sre` starts it."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", "diff", "--base", "base", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )


def test_where_nothing_differs_it_says_so_and_ends_with_0(clone: Clone) -> None:
    code, said, errors = clone.diff()
    assert (code, errors) == (0, "")
    assert said.endswith("objects: none differs\nno differences\n")


def test_what_changes_no_object_is_no_change(clone: Clone) -> None:
    clone.edit(ALPHA, "team: team-alpha\n", "# A comment\nteam: team-alpha\n")
    clone.repository.write("docs/notes.md", "# Notes\n")
    assert clone.diff()[0] == 0


def test_a_file_beside_the_teams_is_compared_with_that_of_the_base(clone: Clone) -> None:
    mounts = "      files: [{path: /etc/app.conf, from: team-alpha/app.conf}]\n"
    clone.edit(ALPHA, "      writablePaths:\n", f"{mounts}      writablePaths:\n")
    clone.repository.write("tenants/team-alpha/app.conf", "level = info\n")
    clone.repository.commit()
    clone.repository.git("branch", "--force", "base")
    clone.repository.write("tenants/team-alpha/app.conf", "level = debug\n")
    code, said = clone.json()
    assert code == 2
    (change,) = next(each for each in said["objects"] if each["kind"] == "ConfigMap")["changes"]
    assert (change["before"], change["after"]) == ("level = info\n", "level = debug\n")
    assert {each["team"] for each in said["objects"]} == {"team-alpha"}


def test_a_host_that_the_platform_gives_up_is_reported_with_the_team_that_takes_it(
    clone: Clone,
) -> None:
    clone.edit(DEV, "grafana.sre.example.com, ", "")
    clone.edit(ALPHA, "my-api.apps.sre.example.com", "grafana.sre.example.com")
    code, said = clone.json()
    told = [each for each in said["findings"] if each["id"] == "platform-host"]
    assert code == 3
    assert [(each["team"], each["detail"]) for each in told] == [
        ("", "grafana.sre.example.com, by sre-platform:platformHosts of stack dev until now"),
        ("team-alpha", "grafana.sre.example.com now routes to team-alpha"),
    ]


def test_a_registry_that_moves_leaves_its_host_to_teams(clone: Clone) -> None:
    clone.edit(CLUSTER, "https://harbor.sre.internal", "https://new.sre.internal")
    clone.edit(CLUSTER, ', "*.sre.internal"]', "]")
    code, said = clone.json("--stack", "team-alpha")
    told = [each["detail"] for each in said["findings"] if each["id"] == "platform-host"]
    assert code == 3
    where = "of stack team-alpha until now"
    assert told == [
        f"*.sre.internal, by sre-platform:platformHosts {where}",
    ]


def test_a_cluster_s_setting_is_reported_once_with_the_other_stacks_that_have_it(
    clone: Clone,
) -> None:
    clone.edit(CLUSTER, "guardrails: deny", "guardrails: audit")
    code, said = clone.json("--stack", "platform")
    assert code == 3
    assert said["settings"] == [
        {
            "cluster": "sre-production",
            "stacks": ["platform", "team-alpha", "team-beta"],
            "key": "guardrails",
            "path": "guardrails",
            "before": "deny",
            "after": "audit",
        }
    ]
    told = {each["id"]: each["detail"] for each in said["findings"]}
    assert "guardrail" in told
    assert told["stack-not-shown"] == f"team-alpha, team-beta, by {CLUSTER}"
    assert f"{CLUSTER}: guardrails: deny -> audit\n" in clone.diff("--stack", "platform")[1]


def test_a_setting_that_replaces_the_cluster_s_needs_a_second_reviewer(clone: Clone) -> None:
    own = (
        "  sre-platform:exceptionMaxDays: 30\n  sre-platform:harbor: {url: https://h.example.com}\n"
    )
    clone.edit("Pulumi.team-beta.yaml", "config:\n", f"config:\n{own}")
    code, said = clone.json("--stack", "team-beta")
    assert code == 3
    assert [each["detail"] for each in said["findings"] if each["id"] == "setting-override"] == [
        f"sre-platform:harbor.url of Pulumi.team-beta.yaml, over {CLUSTER}"
    ]
    clone.repository.commit()
    assert clone.diff("--stack", "team-beta", base="HEAD")[0] == 0, "it is not new any more"


def test_settings_that_move_to_the_cluster_s_file_change_no_setting(clone: Clone) -> None:
    text = (clone.repository.root / DEV).read_text(encoding="utf-8")
    hosts = next(line for line in text.splitlines(True) if "sre-platform:platformHosts" in line)
    clone.edit(DEV, hosts, "  sre-platform:cluster: sre-dev\n")
    clone.repository.write(
        "clusters/sre-dev.yaml",
        hosts.replace("  sre-platform:", "") + "kubernetes: {clusterIdentifier: sre-dev}\n",
    )
    clone.edit(DEV, "    clusterIdentifier: sre-dev\n", "")
    code, said = clone.json()
    assert code == 2
    assert [(each["stack"], each["path"]) for each in said["settings"]] == [
        ("dev", "sre-platform:cluster")
    ]
    assert {each["id"] for each in said["findings"]} == {"platform-code"}


def test_a_longer_list_of_the_platform_s_hosts_is_no_finding(clone: Clone) -> None:
    clone.edit(DEV, "grafana.sre.example.com, ", '"*.example.net", grafana.sre.example.com, ')
    assert "platform-host" not in clone.found()[1]


def test_a_new_version_is_an_ordinary_change(clone: Clone) -> None:
    clone.edit(ALPHA, 'tag: "v1.0.0"', 'tag: "v1.0.1"')
    code, said, _ = clone.diff()
    assert code == 2
    assert "second reviewer" not in said
    assert "team-alpha: 1 changed\n" in said
    assert "my-api:v1.0.0 -> harbor.sre.internal/team-alpha/my-api:v1.0.1\n" in said


# By what is found of each; edits of one group do not hide each other.
WEAKENING = {
    "network-wider": (ALPHA, "port: 5432\n", "port: 5432\n            - port: 22\n"),
    "network-word": (
        ALPHA,
        "additionalEgress:\n",
        "additionalEgress:\n"
        "        - {to: [{ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 8443}]}\n",
    ),
    "group-let-in": (BETA, "[team-beta-developers]", "[team-beta-developers, others]"),
    "quota-raised": (BETA, "pods: 30", "pods: 31"),
    "signatures-off": (
        ALPHA,
        "\napps:",
        "registry: {signatures: {enforce: false, reason: we move}}\napps:",
    ),
    "secret-read": (ALPHA, "- name: LOG_LEVEL", "- {name: X, secretRef: new}\n        - name: L"),
    "image-repository": (ALPHA, "team-alpha/frontend", "base-images/frontend"),
    "destroyed": (ALPHA, "autoscaling:\n      enabled: true", "autoscaling:\n      enabled: false"),
    "host-new": (ALPHA, "host: my-api.apps", "host: our-api.apps"),
    "fewer-kept": (BETA, "mostRecentlyPushed: 30", "mostRecentlyPushed: 3"),
    "credential-longer": (BETA, "duration: 365", "duration: -1"),
}
WEAKENING_A_STACK = {
    "lifecycle": (ALPHA, "\napps:", "lifecycle: suspended\napps:"),
    "guardrail": (DEV, "guardrails: deny", "guardrails: audit"),
    "pod-security-lower": (DEV, "podSecurity: restricted", "podSecurity: baseline"),
    "tls-unverified": (DEV, "inCluster: false", "inCluster: false, skipTlsVerify: true"),
    "adopt": (
        DEV,
        "  sre-platform:platform",
        "  sre-platform:adopt: true\n  sre-platform:platform",
    ),
    "network-opened": (
        DEV,
        "  sre-platform:platform:",
        "  sre-platform:network: {platform: {smtp: {host: smtp.example.com, ports: [587]}}}\n"
        "  sre-platform:platform:",
    ),
    "setting": (DEV, "config:\n", "encryptionsalt: v1:abc\nconfig:\n"),
    "stack-not-shown": ("Pulumi.platform.yaml", "harbor: false", "harbor: true"),
    "supply-chain": ("requirements.lock", "\n", "\n# x\n"),
}
RENAMING = {"renamed": (ALPHA, "name: frontend\n", "name: front\n")}


@pytest.mark.parametrize(
    ("edits", "beside"),
    [
        (WEAKENING, {"behaviour"}),
        (WEAKENING_A_STACK, {"platform-code"}),
        (RENAMING, {"behaviour", "destroyed", "host-new", "network-wider"}),
    ],
    ids=["team", "stack", "name"],
)
def test_each_weakening_change_is_found_and_all_end_with_3(
    clone: Clone, edits: dict[str, tuple[str, str, str]], beside: set[str]
) -> None:
    for edit in edits.values():
        clone.edit(*edit)
    assert clone.found() == (3, edits.keys() | beside)


def test_files_that_change_how_the_program_is_run_or_reviewed_end_with_3(clone: Clone) -> None:
    files = {
        *(".venv/x.pth", "docs/CODEOWNERS", "tenants/.gitattributes"),
        *("yaml.py", "yaml/__init__.py"),
    }
    for file in files:
        clone.repository.write(file, "")
    code, said = clone.json()
    assert code == 3
    assert {(each["id"], each["detail"]) for each in said["findings"]} == {
        ("supply-chain", file) for file in files
    }


def test_a_file_that_becomes_a_link_ends_with_3(clone: Clone) -> None:
    file = clone.repository.root / ALPHA
    file.rename(clone.repository.root / "elsewhere.yaml")
    file.symlink_to("../elsewhere.yaml")
    assert clone.found() == (3, {"unclassified"})


def test_every_team_that_a_change_of_code_reaches_is_listed(clone: Clone) -> None:
    read_only = "read_only_root_filesystem=WRITABLE_ROOT not in _allowed(app)"
    clone.edit("components/hardening.py", read_only, "privileged=True")
    done = _in_a_process(clone.repository.root, "--format", "json")
    said = json.loads(done.stdout)
    assert done.returncode == 3
    assert said["platformCode"] == {
        "files": ["components/hardening.py"],
        "teams": ["team-alpha", "team-beta"],
    }
    assert {finding["app"] for finding in said["findings"] if finding["id"] == "pod-weaker"} == {
        "my-api", "frontend", "order-processor", "nightly-report",
    }  # fmt: skip


def test_protection_that_the_code_takes_away_is_seen(clone: Clone) -> None:
    clone.edit("components/namespace.py", "protect=not team.offboarding", "protect=False")
    done = _in_a_process(clone.repository.root)
    assert done.returncode == 3
    assert "team-beta: protection removed\n    Namespace team-beta\n" in done.stdout


def test_code_that_changes_no_object_is_reported(clone: Clone) -> None:
    clone.edit("components/quota.py", "from components", "# A comment\nfrom components")
    code, said, _ = clone.diff()
    assert code == 2
    assert said.endswith(
        ". CM-3 SA-10  platform: platform code or defaults change\n"
        "    components/quota.py: reaches no team's object in this stack\n"
    )


def test_a_change_of_what_all_lean_on_reaches_all(clone: Clone) -> None:
    clone.edit(*WEAKENING_A_STACK["guardrail"])
    _, said = clone.json()
    assert said["platformCode"]["teams"] == ["team-alpha", "team-beta"]


def test_a_team_that_git_knows_nothing_of_yet_is_new(clone: Clone) -> None:
    clone.repository.write("tenants/team-delta.yaml", "team: team-delta\n")
    code, said = clone.json()
    assert code == 3
    assert {"team-new", "group-let-in"} <= {each["id"] for each in said["findings"]}
    assert {each["team"] for each in said["objects"]} == {"team-delta"}
    assert {each["action"] for each in said["objects"]} == {"added"}


def test_a_team_whose_file_is_gone_is_destroyed_with_its_data(clone: Clone) -> None:
    (clone.repository.root / BETA).unlink()
    # Another team's app lets it in by name.
    code, findings = clone.found()
    assert code == 3
    assert {"data-destroyed", "destroyed"} <= findings


def test_a_team_under_a_new_name_is_reported_as_no_move(clone: Clone) -> None:
    file = clone.repository.root / BETA
    text = file.read_text().replace("team-beta", "team-delta")
    file.unlink()
    clone.repository.write("tenants/team-delta.yaml", text)
    _, said, _ = clone.diff()
    assert "team-delta looks like team-beta renamed: all objects of team-beta are destroyed" in said


def test_each_step_of_a_teams_life_is_said(clone: Clone) -> None:
    clone.edit(ALPHA, "\napps:", "lifecycle: offboarding\napps:")
    _, said, _ = clone.diff()
    assert "team-alpha: the team's lifecycle changes\n    active -> offboarding\n" in said
    assert "protection removed\n    Namespace team-alpha\n" in said
    clone.repository.commit()
    clone.edit(ALPHA, "lifecycle: offboarding", "lifecycle: active")
    code, said, _ = clone.diff(base="HEAD")
    assert code == 3
    assert "    offboarding -> active\n" in said
    assert "another group or account gets access\n" in said


def test_what_others_merged_since_is_no_part_of_the_change(clone: Clone) -> None:
    clone.repository.git("checkout", "--quiet", "base")
    clone.edit(BETA, "pods: 30", "pods: 99")
    clone.repository.commit()
    clone.repository.git("checkout", "--quiet", "main")
    assert clone.diff()[0] == 0
    clone.edit(ALPHA, 'tag: "v1.0.0"', 'tag: "v1.0.1"')
    clone.repository.commit()
    code, said = clone.json()
    assert code == 2
    assert {each["team"] for each in said["objects"]} == {"team-alpha"}


def test_committed_or_not_the_same_change_gives_the_same_bytes(clone: Clone) -> None:
    clone.edit(*WEAKENING["destroyed"])
    first = [clone.diff("--format", form) for form in ("text", "markdown", "json")]
    clone.repository.commit()
    second = [clone.diff("--format", form) for form in ("text", "markdown", "json")]
    assert first == second
    other = _in_a_process(clone.repository.root, "--format", "json")
    assert other.stdout == first[2][1]


def test_a_stack_looks_at_its_own_teams(clone: Clone) -> None:
    clone.edit(BETA, "pods: 30", "pods: 31")
    assert clone.diff("--stack", "team-alpha")[0] == 0
    assert clone.diff("--stack", "team-beta")[0] == 3


def test_a_stack_that_is_new_has_only_what_is_added(clone: Clone) -> None:
    text = (clone.repository.root / "Pulumi.team-beta.yaml").read_text()
    clone.repository.write("Pulumi.new.yaml", text)
    code, said = clone.json("--stack", "new")
    assert code == 3
    assert {each["action"] for each in said["objects"]} == {"added"}


def test_a_stack_whose_file_is_removed_is_reported(clone: Clone) -> None:
    (clone.repository.root / "Pulumi.team-beta.yaml").unlink()
    code, said, _ = clone.diff()
    assert code == 3
    assert "team-beta no longer has a file; its resources stay\n" in said


def test_a_setting_of_another_provider_is_reported_without_its_value(clone: Clone) -> None:
    clone.edit(DEV, "config:\n", "config:\n  vault:token: Hunter2Hunter2\n")
    code, said, _ = clone.diff()
    assert code == 3
    assert "vault:token of Pulumi.dev.yaml" in said
    assert "Hunter2" not in said


def test_a_value_that_looks_like_a_credential_is_not_shown(clone: Clone) -> None:
    clone.edit(ALPHA, "value: X-Token", "value: X-Hunter2")
    for form in ("text", "markdown", "json"):
        code, said, _ = clone.diff("--format", form)
        assert code == 2
        assert "TOKEN_HEADER" in said
        assert "Hunter2" not in said
        assert "X-Token" not in said


def test_a_wrong_file_is_reported_as_by_validate(clone: Clone) -> None:
    clone.edit(ALPHA, "port: 3000", "port: many")
    assert main(["validate"]) == 1
    validated = clone.capsys.readouterr().err
    assert clone.diff() == (1, "", validated)


def test_a_base_with_a_wrong_file_is_reported_in_one_line(clone: Clone) -> None:
    clone.edit(ALPHA, "port: 3000", "port: many")
    clone.repository.commit()
    clone.edit(ALPHA, "port: many", "port: 3000")
    code, said, errors = clone.diff(base="HEAD")
    assert (code, said, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(
        "./sre diff: the base does not render: tenants/team-alpha.yaml:102:13: apps[1].app.port: "
    )


@pytest.mark.parametrize("code_too", [False, True], ids=["same code", "other code"])
def test_an_exception_that_expired_since_does_not_keep_its_renewal_from_review(
    clone: Clone, code_too: bool
) -> None:
    past = "{allow: writableRootFilesystem, reason: a, ticket: b, approvedBy: c, until: 2020-01-31}"
    app = "  - archetype: web-app\n"
    clone.edit(ALPHA, app, f"{app}    exceptions: [{past}]\n")
    clone.repository.commit()
    code, said, errors = clone.diff(base="HEAD")
    assert (code, said) == (1, "")
    assert "exceptions[0].until: the exception expired on 2020-01-31" in errors
    clone.edit(ALPHA, "2020-01-31", "9999-12-31")
    if code_too:
        clone.edit("components/pod.py", "import", "# Another program.\nimport")
    clone.repository.git("branch", "--force", "base", "HEAD")
    code, report = clone.json()
    told = [each["detail"] for each in report["findings"] if each["id"] == "exception"]
    assert (code, told) == (
        3,
        ["writableRootFilesystem until 2020-01-31 -> 9999-12-31 (b, approved by c): a"],
    )


def test_a_base_whose_program_fails_is_reported_in_one_line(clone: Clone) -> None:
    clone.edit("__main__.py", "import pulumi\n", "import pulumi\n\nraise ValueError('broken')\n")
    clone.repository.commit()
    clone.edit("__main__.py", "raise ValueError('broken')\n", "")
    code, said, errors = clone.diff(base="HEAD")
    assert (code, said) == (1, "")
    assert errors == "./sre diff: the base does not render: ValueError: broken\n"


def test_a_base_older_than_rendering_is_reported_in_one_line(clone: Clone) -> None:
    clone.repository.git("rm", "--quiet", "cli/render.py")
    clone.repository.commit()
    clone.repository.git("checkout", "--quiet", "base", "--", "cli/render.py")
    code, said, errors = clone.diff(base="HEAD")
    assert (code, said) == (1, "")
    assert errors == (
        "./sre diff: the base has no program that can render; name a later revision\n"
    )


@pytest.mark.parametrize("ref", ["nowhere", "-x", "", "base:tenants"])
def test_a_base_that_does_not_exist_is_reported_in_one_line(clone: Clone, ref: str) -> None:
    code, said, errors = clone.diff(f"--base={ref}")
    assert (code, said) == (1, "")
    assert errors == (f"./sre diff: no revision '{ref}' in this clone; name another, or fetch it\n")


def test_a_shallow_clone_without_the_base_gets_advice(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.repository.git("checkout", "--quiet", "-b", "other")
    clone.edit(ALPHA, 'tag: "v1.0.0"', 'tag: "v1.0.1"')
    clone.repository.commit()
    clone.repository.git("checkout", "--quiet", "main")
    clone.edit(BETA, 'tag: "v1.3.0"', 'tag: "v1.3.1"')
    clone.repository.commit()
    shallow = tmp_path / "shallow"
    source = f"file://{clone.repository.root}"
    clone.repository.git(
        "clone", "--quiet", "--depth=1", "--no-single-branch", source, str(shallow)
    )
    for module in ("stack_options", "diff"):
        monkeypatch.setattr(f"cli.{module}.ROOT", shallow)
    code, said, errors = clone.diff(base="origin/other")
    clone.repository.git("branch", "--quiet", "-D", "other")
    assert (code, said) == (1, "")
    assert errors == (
        "./sre diff: 'origin/other' and HEAD have no commit in common in this shallow clone; fetch "
        "the history between them (git fetch --unshallow)\n"
    )


def test_a_folder_without_git_is_reported_in_one_line(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(clone.repository.root, plain, ignore=shutil.ignore_patterns(".git"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for module in ("stack_options", "diff"):
        monkeypatch.setattr(f"cli.{module}.ROOT", plain)
    code, said, errors = clone.diff()
    assert (code, said) == (1, "")
    assert errors == f"./sre diff: {plain} is not in a Git repository; run this in a clone\n"


def test_a_checkout_may_be_a_folder_of_its_repository(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mono = Repository(tmp_path / "mono")
    platform = mono.root / "platform"
    shutil.copytree(clone.repository.root, platform, ignore=shutil.ignore_patterns(".git"))
    mono.commit()
    mono.git("branch", "base")
    for module in ("stack_options", "diff"):
        monkeypatch.setattr(f"cli.{module}.ROOT", platform)
    assert clone.diff()[0] == 0
    moved = Clone(mono, clone.capsys)
    moved.edit(f"platform/{BETA}", "pods: 30", "pods: 31")
    assert clone.found() == (3, {"quota-raised"})


@pytest.mark.parametrize(
    "options", [[], ["--base", "base", "--format", "html"], ["--base", "base", "--bogus"]]
)
def test_a_wrong_command_line_ends_with_1_as_2_is_an_answer(
    clone: Clone, options: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", *options])
    assert ended.value.code == 1
    assert "usage: ./sre" in clone.capsys.readouterr().err


def test_a_stack_that_is_not_there_ends_with_1(clone: Clone) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", "--base", "base", "--stack", "nowhere"])
    assert ended.value.code == 1
    assert "no stack 'nowhere'" in clone.capsys.readouterr().err


def test_help_shows_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "example: ./sre diff --base origin/main --format markdown" in said
    assert "0 no differences, 2 changes, 3 changes that need a second reviewer" in said


def test_nothing_is_left_behind(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    clone.edit(ALPHA, 'tag: "v1.0.0"', 'tag: "v1.0.1"')
    before = clone.repository.git("status", "--porcelain")
    assert clone.diff()[0] == 2
    assert clone.repository.git("status", "--porcelain") == before
    assert list(tmp_path.iterdir()) == []
