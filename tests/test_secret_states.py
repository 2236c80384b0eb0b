"""The states of `./sre secret list`: those that the page explains."""

from clients.kv import Keys, Version
from specs.app import WebApp
from specs.secret_use import SecretUse
from tests.program import ROOT
from tools.secrets.comparison import ComparedSecret, Unreadable
from tools.secrets.uses import AppUse, NamedSecret

PAGE = ROOT / "docs" / "secrets-and-files.md"
HEAD = "| state | meaning |\n|---|---|\n"

APP = WebApp.model_validate(
    {"archetype": "web-app", "app": {"name": "shop", "image": {"repository": "r/s", "tag": "v1"}}}
)
NAMED = NamedSecret("db", [AppUse(APP, SecretUse("db", "password", (), ()), (), ())])
FULL, EMPTY = (Keys(frozenset(names), Version(1)) for names in (["password"], []))


def secret(
    named: NamedSecret | None = NAMED,
    stored: Keys | None = None,
    *,
    name: str = "db",
    exists: bool = True,
    unreadable: Unreadable | None = None,
) -> ComparedSecret:
    return ComparedSecret("team-alpha", name, named, exists, stored, unreadable)


def test_the_page_explains_every_state() -> None:
    seen = {
        "stored": secret(stored=FULL),
        "lacks keys": secret(stored=EMPTY),
        "missing": secret(exists=False),
        "deleted": secret(),
        "not used": secret(None, FULL),
        "not readable": secret(unreadable=Unreadable("read", "sre/subkeys/team-alpha/db")),
        "folder": secret(None, name="below/"),
    }
    assert {state: each.state for state, each in seen.items()} == {state: state for state in seen}
    _, _, after = PAGE.read_text(encoding="utf-8").partition(HEAD)
    rows = after.partition("\n\n")[0].splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [*seen]
