"""The recipes are what they say: complete entries of `apps`, with nothing to add."""

import re
from pathlib import Path
from textwrap import indent

import pytest

from tests.pages import Block, blocks
from tests.program import ROOT
from tests.written import accepted, team

PAGE = ROOT / "docs" / "recipes.md"
RECIPES = list(blocks(PAGE))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.place)
def test_a_recipe_is_accepted(recipe: Block, tmp_path: Path) -> None:
    assert recipe.language == "yaml"
    made = accepted(tmp_path, team("apps:\n" + indent(recipe.text, "  ")))
    assert len(made.apps) == 1


def test_each_section_has_one_recipe_and_a_line_in_the_list() -> None:
    text = PAGE.read_text("utf-8")
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles == re.findall(r"^- \[(.*)\]\(#", text, re.MULTILINE)
    sections = text.split("\n## ")[1:]
    assert [section.count("```yaml\n") for section in sections] == [1] * len(titles)
