"""Rooms: their picture is current, and the rules of imports know each of them."""

from cli import rooms
from tests.program import ROOT


def test_the_picture_of_imports_is_what_the_code_imports() -> None:
    assert rooms.PAGE.read_text(encoding="utf-8") == rooms.page(), "run `make docs`"


def test_an_import_that_others_imply_has_no_arrow() -> None:
    found = rooms.imports()
    assert "specs" in found["components"]
    assert "specs" in found["clients"]
    assert "components --> clients" in rooms.picture()
    assert "components --> specs" not in rooms.picture()


def test_the_rules_of_imports_hold_for_every_package() -> None:
    made = {init.parent.name for init in ROOT.glob("*/__init__.py")}
    assert {*rooms.packages()} == made


def test_the_table_has_every_room() -> None:
    page = rooms.PAGE.read_text(encoding="utf-8")
    missing = [room for room in rooms.imports() if f"| `{room.replace('.', '/')}/` |" not in page]
    assert not missing
