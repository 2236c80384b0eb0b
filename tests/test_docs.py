"""What the pages show is what happens: their commands are run, and generated parts are current."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cli import reference
from dryrun.recording import Recording, record_stack
from sandbox import summary
from specs.load import load_team
from tests.documented import unused_keys
from tests.pages import PAGES, Block, blocks
from tests.program import KEYS, ROOT
from tests.written import keys_settings

README = ROOT / "README.md"
SANDBOX = ROOT / "docs" / "sandbox.md"
_COMMANDS = ("console", "sh")
_OTHER_LANGUAGES = ("yaml", "mermaid", "text", "python")
_LINK = re.compile(r"\]\((?!https?:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")


BLOCKS = [block for page in PAGES for block in blocks(page)]


@pytest.fixture
def checkout(tmp_path: Path, warm: Path) -> Path:
    """A copy of the checkout, set up as this one is."""
    copy = tmp_path / "sre-platform"
    shutil.copytree(
        ROOT,
        copy,
        # With what Python has compiled, or each command would do that again; without tests.
        ignore=shutil.ignore_patterns(
            *(".git", ".venv", ".sandbox", ".*_cache", "*.pyc.*", "test_*", "golden", "findings")
        ),
    )
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program in (ROOT / ".venv" / "bin").iterdir():
        (programs / program.name).symlink_to(warm if program.name == "python" else program)
    for name in ("lib", "requirements.lock"):
        (copy / ".venv" / name).symlink_to(ROOT / ".venv" / name)
    return copy


def _run_or_not(block: Block) -> Any:
    reason = f"{block.place}: {block.about}"
    marks = [pytest.mark.skip(reason)] if block.role == "not run" else []
    return pytest.param(block, id=block.place, marks=marks)


@pytest.mark.commands
@pytest.mark.parametrize(
    "block", [_run_or_not(block) for block in BLOCKS if block.language in _COMMANDS]
)
def test_a_command_prints_what_the_page_shows(block: Block, checkout: Path) -> None:
    for file in _files_before(block):
        (checkout / file.about).write_text(file.text, encoding="utf-8")
    for command, shown in _commands(block):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=checkout,
            env=_as_a_user_has_it(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert _is_shown(done.stdout, shown), f"$ {command}\n{done.stdout}"
        if not shown:
            assert done.returncode == 0, f"$ {command}\n{done.stdout}"


def _as_a_user_has_it() -> dict[str, str]:
    """The environment without what `make test` hands to a `make` that it runs."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }


def test_every_block_is_of_a_known_language() -> None:
    known = (*_COMMANDS, *_OTHER_LANGUAGES)
    assert [block.place for block in BLOCKS if block.language not in known] == []


def test_every_link_within_the_pages_leads_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {match[0]}"
        for page in PAGES
        for match in _LINK.finditer(page.read_text(encoding="utf-8"))
        if not _leads_somewhere(page, match["file"], match["anchor"])
    ]
    assert dead == []


def test_the_reference_is_what_the_models_say() -> None:
    shown = reference.PAGE.read_text(encoding="utf-8")
    assert shown == reference.reference(), "run `make docs`"


def test_some_team_uses_every_documented_key() -> None:
    unused = unused_keys([*(ROOT / "tenants").glob("*.yaml"), *KEYS])
    assert not unused, f"no file in tenants/ or tests/keys/ uses {', '.join(unused)}"


@pytest.mark.parametrize("file", KEYS, ids=lambda file: file.stem)
def test_the_files_of_further_keys_are_valid(tmp_path: Path, file: Path) -> None:
    loaded = load_team(file, file.name, keys_settings(tmp_path))
    assert [str(each) for each in (*loaded.problems, *loaded.warnings)] == []


@pytest.mark.parametrize("page", [README, SANDBOX], ids=lambda page: page.name)
def test_a_page_shows_the_table_that_make_up_ends_with(page: Path) -> None:
    recording = _shipped()
    # The engine gives a mapping's keys in their order.
    teams = json.loads(json.dumps(recording.outputs["teams"], sort_keys=True))
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {"teams": teams}}
    resources = [stack, *({"type": made.type} for made in recording.registrations)]
    table = "\n".join(summary.table(resources, None))
    assert table in page.read_text(encoding="utf-8")


def test_the_pages_count_the_resources_that_make_up_makes() -> None:
    count = len(_shipped().registrations) + 1  # the engine counts the stack itself
    shown = [
        found
        for page in (README, SANDBOX)
        for found in re.findall(
            r"(\d+) (created|unchanged|deleted)$", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    # Created, on both pages; all there already; all but one as a quota is edited; removed.
    wanted = [
        (count, "created"),
        (count, "created"),
        (count, "unchanged"),
        (count - 1, "unchanged"),
    ]
    assert shown == [(str(number), done) for number, done in [*wanted, (count, "deleted")]]


def test_the_first_page_is_short_and_shows_both_commands_on_its_first_screen() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    screen = "\n".join(lines[:24])
    assert re.findall(r"^(make \w+)  ", screen, re.MULTILINE) == ["make up", "make test"]


def test_every_page_has_a_line_in_the_list_of_pages() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {
        (index.parent / match["file"]).resolve()
        for match in _LINK.finditer(index.read_text(encoding="utf-8"))
    }
    runbooks = set((ROOT / "docs" / "runbooks").iterdir())  # docs/monitoring.md lists them
    listed |= runbooks | {index}
    assert [page.name for page in PAGES if page not in listed] == []


def _files_before(block: Block) -> list[Block]:
    """The files that the page has told to write by then."""
    return [
        each
        for each in BLOCKS
        if each.role == "file" and each.page == block.page and each.line < block.line
    ]


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command and the output shown: none in a block of language `sh`."""
    if block.language == "sh":
        yield f"set -e\n{block.text}", ""
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def _is_shown(output: str, shown: str) -> bool:
    """Whether a page's `shown` is the output; `...` stands for any of it, nothing for all of it."""
    pattern = ".*".join(re.escape(part.strip("\n")) for part in shown.split("..."))
    return not shown or re.fullmatch(pattern, output.strip("\n"), re.DOTALL) is not None


def _leads_somewhere(page: Path, file: str, anchor: str | None) -> bool:
    target = page.parent / file if file else page
    if not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@cache
def _shipped() -> Recording:
    """What the program registers for the shipped teams."""
    return record_stack(ROOT, "dev", ROOT / "tenants")
