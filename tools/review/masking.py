"""Hides secrets, and values that look like secrets, from readers of a review."""

import re
from collections.abc import Mapping
from typing import Any

from dryrun.recording import SECRET
from specs.credentials import looks_like_credential
from specs.files import credential_in

HIDDEN = "[hidden]"

# Properties of the three providers' resources that contain a credential.
_SECRET_KEYS = frozenset(
    {"dataJson", "dataJsonWo", "secret", "password", "token", "tokenReviewerJwt", "stringData"}
    | {"kubeconfig", "privateKey", "secureValue", "secure"}
)

_VARIABLE = re.compile(r"\[(?P<name>[^\[\]]+)\]\.value$")
_ASSIGNMENT = re.compile(r"-{0,2}([\w-]+)=(.+)", re.DOTALL)
_LAST_KEY = re.compile(r"(?P<key>[\w-]+)$")


def conceal(value: Any, path: str, kind: str) -> Any:
    """`value`, at `path` of an object of that kind, without credentials."""
    if kind == "Secret" and path.startswith(("data", "stringData")):
        return HIDDEN
    if kind == "ConfigMap" and path.startswith("data"):
        return _lines_of(value)
    variable = _VARIABLE.search(path)
    last = _LAST_KEY.search(path)
    return _concealed(value, last["key"] if last else "", variable["name"] if variable else "")


def conceal_text(text: str) -> str:
    """`text`, or none of it if it has the form of a credential."""
    return HIDDEN if looks_like_credential("", text) else text


def _lines_of(value: Any) -> Any:
    """Texts of files, also those of which their author says that they have no credential."""
    if isinstance(value, Mapping):
        return {key: _lines_of(text) for key, text in value.items()}
    if not isinstance(value, str) or conceal_text(value) == HIDDEN:
        return _concealed(value, "")
    return "".join(
        line.replace(text, HIDDEN) if credential_in(text := line.rstrip("\r\n")) else line
        for line in value.splitlines(keepends=True)
    )


def _concealed(value: Any, key: str, variable: str = "") -> Any:
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list):
        return [
            HIDDEN if _follows_a_flag(value, at) else _concealed(item, "")
            for at, item in enumerate(value)
        ]
    if value == SECRET or not isinstance(value, str) or not value:
        return value
    if key in _SECRET_KEYS or looks_like_credential(variable, value) or _is_assigned(value):
        return HIDDEN
    return value


def _mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    # A variable, or something written like one.
    variable = value.get("name") if "value" in value else None
    return {
        key: _concealed(item, key, variable if key == "value" and isinstance(variable, str) else "")
        for key, item in value.items()
    }


def _is_assigned(text: str) -> bool:
    """Whether it is an argument such as `--token=...` with a credential."""
    found = _ASSIGNMENT.fullmatch(text)
    return bool(found) and looks_like_credential(found[1], found[2]) is not None


def _follows_a_flag(items: list[Any], at: int) -> bool:
    """Whether an argument is the value of a flag such as `--password`."""
    flag, value = items[at - 1] if at else "", items[at]
    if not isinstance(flag, str) or not isinstance(value, str) or not flag.startswith("-"):
        return False
    return "=" not in flag and looks_like_credential(flag.lstrip("-"), value) is not None
