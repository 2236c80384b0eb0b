"""`./sre affected`: which stacks a change affects."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.repository import Repository
from tests.written import ROOT
from tools.review.affected import PROGRAM

pytestmark = pytest.mark.commands

PLATFORM = "config: {'sre-platform:teams': [], 'sre-platform:platform': true}\n"
EVERYTHING = "config: {'sre-platform:teams': '*', 'sre-platform:platform': true}\n"

Answer = tuple[int, str, str]
Sre = Callable[..., Answer]


def team_stack(*teams: str, tenants: str = "tenants") -> str:
    return json.dumps({"config": {"sre-platform:teams": teams, "sre-platform:tenants": tenants}})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Stacks alpha, beta (with its own folder), dev and platform, as of branch `base`."""
    made = Repository(tmp_path / "clone")
    made.write("Pulumi.alpha.yaml", team_stack("team-a"))
    made.write("Pulumi.beta.yaml", team_stack("team-b", tenants="./others/"))
    made.write("Pulumi.dev.yaml", EVERYTHING)
    made.write("Pulumi.platform.yaml", PLATFORM)
    for file in (
        *("tenants/team-a.yaml", "tenants/team-b.yaml", "others/team-b.yaml", "README.md"),
        *("__main__.py", "components/tenant.py", "cli/__main__.py", "tests/test_tenant.py"),
    ):
        made.write(file, "as it was\n")
    made.commit()
    made.git("branch", "base")
    monkeypatch.setattr("cli.affected.ROOT", made.root)
    return made


@pytest.fixture
def sre(repository: Repository, capsys: pytest.CaptureFixture[str]) -> Sre:
    """`sre(option, ...)`: exit code, output and errors of `./sre affected`."""

    def run(*options: str) -> Answer:
        code = main(["affected", *(options or ("--base", "base"))])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def lines(*names: str) -> Answer:
    return 0, "".join(f"{name}\n" for name in names), ""


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("tenants/team-a.yaml", ["dev", "alpha"]),
        ("tenants/team-b.yaml", ["dev"]),
        ("others/team-b.yaml", ["beta"]),
        ("Pulumi.alpha.yaml", ["alpha"]),
        ("Pulumi.platform.yaml", ["platform"]),
        ("__main__.py", ["dev", "platform", "alpha", "beta"]),
        ("components/tenant.py", ["dev", "platform", "alpha", "beta"]),
        ("yaml.py", ["dev", "platform", "alpha", "beta"]),
        ("pyproject.toml", ["dev", "platform", "alpha", "beta"]),
        ("requirements.lock", ["dev", "platform", "alpha", "beta"]),
        ("README.md", []),
        ("cli/__main__.py", []),
        ("tests/test_tenant.py", []),
        ("tenants/notes.txt", []),
        ("tenants/old/team-a.yaml", []),
        ("components.md", []),
    ],
)
def test_a_changed_file_affects_the_stacks_that_use_it(
    repository: Repository, sre: Sre, file: str, touched: list[str]
) -> None:
    before = repository.root / file
    repository.write(file, (before.read_text() if before.exists() else "") + "# and more\n")
    assert sre() == lines(*touched), "not committed"
    repository.commit()
    assert sre() == lines(*touched), "committed"


def in_cluster(*teams: str, **own: str) -> str:
    return json.dumps(
        {
            "config": {
                "sre-platform:cluster": "prod",
                "sre-platform:teams": teams,
                **{f"sre-platform:{key}": value for key, value in own.items()},
            }
        }
    )


@pytest.fixture
def with_cluster(repository: Repository) -> Repository:
    """Stacks alpha and beta have a cluster, of which beta sets one key itself."""
    repository.write("Pulumi.alpha.yaml", in_cluster("team-a"))
    repository.write("Pulumi.beta.yaml", in_cluster("team-b", guardrails="deny"))
    repository.write("clusters/prod.yaml", "tenants: tenants\nguardrails: deny\n")
    repository.write("clusters/other.yaml", "guardrails: deny\n")
    repository.commit()
    repository.git("branch", "--force", "base")
    return repository


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        ("tenants: tenants\nguardrails: audit\n", ["alpha"]),
        ("tenants: others\nguardrails: deny\n", ["alpha", "beta"]),
        ("# Nothing else.\nguardrails: deny\ntenants: tenants\n", []),
    ],
)
def test_a_cluster_s_file_affects_the_stacks_whose_settings_it_changes(
    with_cluster: Repository, sre: Sre, text: str, touched: list[str]
) -> None:
    with_cluster.write("clusters/prod.yaml", text)
    assert sre() == lines(*touched), "not committed"
    with_cluster.commit()
    assert sre() == lines(*touched), "committed"


@pytest.mark.parametrize(
    "file", ["clusters/other.yaml", "clusters/new.yaml", "clusters/a/prod.yaml"]
)
def test_a_cluster_s_file_affects_no_stack_of_another_cluster(
    with_cluster: Repository, sre: Sre, file: str
) -> None:
    with_cluster.write(file, "guardrails: audit\n")
    assert sre() == lines()


def test_the_folder_of_a_cluster_s_teams_is_that_of_its_stacks(
    with_cluster: Repository, sre: Sre
) -> None:
    with_cluster.write("clusters/prod.yaml", "tenants: others\n")
    with_cluster.commit()
    with_cluster.git("branch", "--force", "base")
    with_cluster.write("others/team-b.yaml", "changed\n")
    assert sre() == lines("beta")


MOUNTS = "team: team-b\napps: [{app: {files: [{path: /a, from: files/a.yaml}]}}]\n"


def test_a_file_that_a_team_mounts_affects_the_stacks_of_that_team(
    repository: Repository, sre: Sre
) -> None:
    for folder in ("tenants", "others"):
        repository.write(f"{folder}/team-b.yaml", MOUNTS)
        repository.write(f"{folder}/files/a.yaml", "as it was\n")
    repository.commit()
    repository.git("branch", "--force", "base")
    repository.write("others/files/a.yaml", "as it is now\n")
    assert sre() == lines("beta")
    repository.write("tenants/files/a.yaml", "as it is now\n")
    assert sre() == lines("dev", "beta")
    repository.git("checkout", "--quiet", "base", "--", ".")
    (repository.root / "tenants/files/a.yaml").unlink()
    assert sre() == lines("dev")
    repository.git("checkout", "--quiet", "base", "--", ".")
    repository.write("tenants/files/b.yaml", "mounted by nobody\n")
    assert sre() == lines()


@pytest.mark.parametrize(
    "said",
    [
        "calls: [{team: team-b, app: b}]",
        "callers: [{team: team-b, app: b}]",
        "calls: [{host: b.team-b}]",
    ],
)
def test_a_team_affects_the_stacks_of_those_whose_calls_or_callers_name_it(
    repository: Repository, sre: Sre, said: str
) -> None:
    repository.write("tenants/team-a.yaml", f"team: team-a\napps: [{{{said}}}]\n")
    repository.commit()
    repository.git("branch", "--force", "base")
    repository.write("tenants/team-b.yaml", "as it is now\n")
    assert sre() == lines("dev", "alpha")
    (repository.root / "tenants/team-b.yaml").unlink()
    assert sre() == lines("dev", "alpha")
    repository.git("checkout", "--quiet", "base", "--", ".")
    repository.write("tenants/team-c.yaml", "as it is now\n")
    assert sre() == lines("dev")
    repository.git("clean", "--quiet", "--force")
    repository.write("others/team-b.yaml", "of another folder\n")
    assert sre() == lines("beta")


def test_nothing_is_affected_where_nothing_changed(sre: Sre) -> None:
    assert sre() == lines()
    assert sre("--base", "base", "--format", "json") == (0, "[]\n", "")


def test_a_matrix_takes_the_json_as_it_is(repository: Repository, sre: Sre) -> None:
    repository.write("__main__.py", "as it is now\n")
    code, output, errors = sre("--base", "base", "--format", "json")
    assert (code, output, errors) == (0, '["dev", "platform", "alpha", "beta"]\n', "")


def test_what_others_merged_since_is_not_part_of_the_change(
    repository: Repository, sre: Sre
) -> None:
    repository.git("checkout", "--quiet", "-b", "change")
    repository.write("tenants/team-b.yaml", "changed here\n")
    repository.commit()
    repository.git("checkout", "--quiet", "base")
    repository.write("__main__.py", "changed there\n")
    repository.commit()
    repository.git("checkout", "--quiet", "change")
    assert sre() == lines("dev")


def test_a_renamed_team_affects_the_stacks_of_both_names(repository: Repository, sre: Sre) -> None:
    repository.git("mv", "tenants/team-a.yaml", "tenants/team-c.yaml")
    repository.write("Pulumi.gamma.yaml", team_stack("team-c"))
    repository.commit()
    assert sre() == lines("dev", "alpha", "gamma")


def test_a_deleted_team_affects_the_stack_that_had_it(repository: Repository, sre: Sre) -> None:
    repository.git("rm", "--quiet", "tenants/team-a.yaml")
    repository.write("Pulumi.alpha.yaml", team_stack())
    assert sre() == lines("dev", "alpha")


def test_a_file_that_a_stack_no_longer_includes_affects_it(
    repository: Repository, sre: Sre
) -> None:
    repository.write("Pulumi.dev.yaml", PLATFORM)
    repository.write("tenants/team-b.yaml", "as it is now\n")
    assert sre() == lines("dev")


def test_a_stack_that_becomes_the_platforms_comes_first(repository: Repository, sre: Sre) -> None:
    repository.write("Pulumi.zeta.yaml", PLATFORM)
    repository.write("__main__.py", "as it is now\n")
    assert sre() == lines("dev", "platform", "zeta", "alpha", "beta")


def test_a_stack_whose_file_is_gone_is_reported_and_not_listed(
    repository: Repository, sre: Sre
) -> None:
    repository.git("rm", "--quiet", "Pulumi.alpha.yaml")
    told = (
        "Pulumi.alpha.yaml is gone, so stack 'alpha' cannot be run and its resources stay; restore "
        "the file, remove the stack's resources (docs/lifecycle.md), and delete the file last\n"
    )
    assert sre() == (0, "", told)
    assert sre("--base", "base", "--skip", "alpha") == lines()


def test_a_stack_that_had_nothing_may_be_removed(repository: Repository, sre: Sre) -> None:
    repository.write("Pulumi.empty.yaml", team_stack())
    repository.commit()
    repository.git("branch", "--force", "base")
    repository.git("rm", "--quiet", "Pulumi.empty.yaml")
    assert sre() == lines()


def test_a_stacks_file_that_cannot_be_read_affects_that_stack(
    repository: Repository, sre: Sre
) -> None:
    repository.write("Pulumi.alpha.yaml", "config: [\n")
    repository.write("Pulumi.beta.yaml", "config: {'sre-platform:teams': 7}\n")
    assert sre() == lines("alpha", "beta")


def test_all_stacks_need_no_git(repository: Repository, sre: Sre) -> None:
    (repository.root / ".git").rename(repository.root / "gone")
    assert sre("--all") == lines("dev", "platform", "alpha", "beta")


def test_the_platforms_stacks_and_the_others_can_be_distinguished(sre: Sre) -> None:
    assert sre("--all", "--only", "platform") == lines("dev", "platform")
    assert sre("--all", "--only", "teams") == lines("alpha", "beta")
    assert sre("--all", "--skip", "dev", "--skip", "beta") == lines("platform", "alpha")


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("nowhere", "no revision 'nowhere' in this clone"),
        ("--all", "no revision '--all' in this clone"),
    ],
)
def test_a_missing_base_is_reported_in_one_line(sre: Sre, ref: str, said: str) -> None:
    code, output, errors = sre(f"--base={ref}")
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(said)


def test_a_shallow_clone_without_the_base_says_what_to_fetch(
    repository: Repository, sre: Sre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("README.md", "changed\n")
    repository.commit()
    address = f"file://{repository.root}"
    repository.git("clone", "--quiet", "--depth=1", address, str(tmp_path / "shallow"))
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "fetch", "--quiet", "--depth=1", "origin", "base:base"], cwd=shallow, check=True
    )
    monkeypatch.setattr("cli.affected.ROOT", shallow)
    code, output, errors = sre()
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "git fetch --unshallow" in errors


def test_a_folder_without_git_is_reported_in_one_line(
    sre: Sre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    monkeypatch.setattr("cli.affected.ROOT", tmp_path / "plain")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    code, output, errors = sre()
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "run this in a clone" in errors


@pytest.mark.parametrize("name", ["$(id)", "a b", "a;b", "é", "-x"])
def test_a_file_whose_name_a_shell_would_split_is_refused(
    repository: Repository, sre: Sre, name: str
) -> None:
    repository.write(f"Pulumi.{name}.yaml", PLATFORM)
    code, output, errors = sre()
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"'Pulumi.{name}.yaml' is not a stack's name; use letters")
    repository.commit()
    repository.git("branch", "--force", "base")
    (repository.root / f"Pulumi.{name}.yaml").unlink()
    assert sre()[:2] == (0, "")


@pytest.mark.parametrize("options", [[], ["--base", "main", "--all"], ["--only", "team"]])
def test_a_wrong_command_line_ends_with_2(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["affected", *options])
    assert end.value.code == 2
    assert "usage: ./sre affected" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["affected", "--help"])
    assert end.value.code == 0
    assert "example: ./sre affected --base" in capsys.readouterr().out


# Prints every file of the project that is loaded when the program runs, but for the recorder's.
LOADED = """
import sys
from pathlib import Path
from dryrun.recording import record_stack
root = Path(sys.argv[1])
recorder = {name for name in sys.modules if name.partition(".")[0] == "dryrun"}
record_stack(root, "dev", root / "tenants")
import components.adoption  # with a stack's `adopt`
for name in sys.modules.keys() - recorder:
    file = getattr(sys.modules[name], "__file__", None)
    if file and Path(file).is_relative_to(root) and ".venv" not in Path(file).parts:
        print(Path(file).relative_to(root).as_posix())
"""


def test_the_program_is_what_is_loaded_when_it_runs() -> None:
    command = [sys.executable, "-c", LOADED, str(ROOT)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    folders = tuple(part for part in PROGRAM if part.endswith("/"))
    assert [file for file in loaded if not file.startswith(folders)] == []
    assert all(any(file.startswith(folder) for file in loaded) for folder in folders)


def test_the_files_of_the_program_exist() -> None:
    assert [part for part in PROGRAM if not (ROOT / part).exists()] == []
