"""Substitutes `${NAME}` as Flux's postBuild does, or reports why that is not possible here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# `$$` is a dollar; a variable may have a default, which applies if it is unset or empty.
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(?::[-=]|=)([^${}]*))?\}|\$\{")

_NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")


class SubstitutionError(Exception):
    """A text cannot be substituted here; the message says why, and what to do."""


@dataclass
class Variables:
    """Variables of a Flux Kustomization.

    `unknown` names sources of further values that are missing here, or are secret: a variable that
    is not in `values` may come from them. `fixed` are values that no such source can change.
    """

    values: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    unknown: str = ""

    @property
    def misnamed(self) -> str | None:
        """A name that Flux does not accept for a variable."""
        names = (*self.values, *self.fixed)
        return next((name for name in names if not _NAME.fullmatch(name)), None)

    def __bool__(self) -> bool:
        return bool(self.values or self.fixed or self.unknown)

    def fill_in(self, text: str) -> str:
        """The text with its variables substituted. Raises SubstitutionError."""

        def filled(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            if match[1] is None:
                raise SubstitutionError(
                    "Flux substitutes a form of ${...} that an import does not read; write the "
                    "value in use"
                )
            return self._value(match[1]) or match[2] or ""

        return _VARIABLE.sub(filled, text)

    def _value(self, name: str) -> str:
        if name in self.fixed:
            return self.fixed[name]
        if self.unknown:
            raise SubstitutionError(
                f"Flux substitutes ${{{name}}}, which may come from {self.unknown}; write the "
                "value in use"
            )
        return self.values.get(name, "")


def variables(
    inline: Mapping[str, object], sources: list[tuple[str, Mapping[str, object] | None]]
) -> Variables:
    """The variables of a Kustomization; `sources` are named, and None is an unknown one."""
    found = Variables(fixed={name: _one_line(value) for name, value in inline.items()})
    unknown = []
    for title, data in sources:
        if data is None:
            unknown.append(title)
        else:
            found.values |= {name: _one_line(value) for name, value in data.items()}
    found.unknown = ", ".join(unknown)
    return found


def _one_line(value: object) -> str:
    return str(value).replace("\n", "")
