"""Which secrets a team's file names, where, and for which apps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specs.app import BaseApp
from specs.load import TeamFile
from specs.problem import Loc
from specs.secret_use import SecretUse, secret_uses


@dataclass(frozen=True)
class AppUse:
    """A place where an app names a secret; places are the file's own."""

    app: BaseApp
    use: SecretUse
    loc: Loc
    key_loc: Loc


@dataclass(frozen=True)
class NamedSecret:
    """A secret, with all places of a team's file that name it."""

    name: str
    uses: Sequence[AppUse]

    @property
    def keys(self) -> frozenset[str]:
        """The keys that are named."""
        return frozenset(each.use.key for each in self.uses if each.use.key)

    @property
    def whole(self) -> bool:
        """Whether an app takes all keys, whatever they are called."""
        return any(each.use.key is None for each in self.uses)

    @property
    def apps(self) -> list[str]:
        """The apps that use it."""
        return sorted({each.app.name for each in self.uses})


def named_secrets(file: TeamFile) -> dict[str, NamedSecret]:
    """The secrets of a team's apps by name; none while the team is offboarded."""
    if file.team is None or file.team.offboarding:
        return {}
    by_name: dict[str, list[AppUse]] = {}
    for each in _uses(file):
        by_name.setdefault(each.use.secret, []).append(each)
    return {name: NamedSecret(name, uses) for name, uses in sorted(by_name.items())}


def _uses(file: TeamFile) -> Iterator[AppUse]:
    for index, app in enumerate(file.team.apps if file.team else ()):
        for use in secret_uses(app.app, ("apps", index, "app")):
            yield AppUse(app, use, use.loc, use.key_loc)
