"""The text of an app's files: read from beside the team's file, and checked."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specs.app import AnyApp
from specs.container import Container
from specs.credentials import credential_form, looks_like_credential
from specs.mounts import File
from specs.names import DNS_NAME_MAX
from specs.problem import Finding, Loc
from specs.team import Team

# Of the values of a ConfigMap together (Kubernetes: ConfigMap).
MOST_BYTES = 1024 * 1024

# `name = value` and `name: value` in the usual formats, also after npm's `//host/:`, an element of
# XML, and its attributes `name` and `value`.
_SETTING = re.compile(
    r"""(?:^|[\s"'{,]|/:)(?<!#)(?<!# )([\w.-]+)["']?\s*(?:=>|[:=])\s*["']?([^"'\s,}][^"',}]*)"""
)
_ELEMENT = re.compile(r"<([\w.-]+)>([^<]+)</")
_ATTRIBUTES = re.compile(r"""\b(?:name|key)=["']([\w.:-]+)["']\s+value=["']([^"']+)""")
# Words that a password follows after a blank, in .netrc and Redis' file.
_PASSWORD = re.compile(
    r"^\s*(?:requirepass|masterauth|(?:machine\s+\S+\s+)?login\s+\S+\s+password)\s+(\S+)"
)

# Nothing, or something that is filled in where the file is read: `${NAME}`, `$NAME`, `{{ name }}`.
_NO_CREDENTIAL = re.compile(r"^(?:\$|\{|<|(?:null|none|nil|~)\s*$)|\$\{|\{\{", re.IGNORECASE)
# The same as others write it: Python, Ruby, PHP, JavaScript, Symfony, YAML's tags, and so on.
_FILLED_IN = re.compile(
    r"""((?:=>|[:=])\s*["']?)(?:(?:os\.)?getenv\(|os\.environ\b|process\.env\b|env(?:\(|\[|\.fetch\b)"""
    r"""|%\(|%env\(|\$__(?:env|file)\{|![a-z_]+\s|file:/)""",
    re.IGNORECASE,
)


def with_texts(team: Team, folder: Path) -> tuple[Team, list[Finding]]:
    """The team with the text of the files that it takes from `folder`, and what is wrong."""
    if not any(file.from_ for app in team.apps for file in app.app.files):
        return team, []
    apps, findings = list[AnyApp](), list[Finding]()
    for index, app in enumerate(team.apps):
        files = list[File]()
        for number, file in enumerate(app.app.files):
            at: Loc = ("apps", index, "app", "files", number)
            text = file.content
            if file.from_ and text is not None:
                findings.append((at, "has both content and from; keep one of the two"))
            elif file.from_:
                try:
                    text = _read(folder, file.from_)
                except ValueError as error:
                    findings.append(((*at, "from"), str(error)))
            files.append(file.model_copy(update={"content": text}))
        inner = app.app.model_copy(update={"files": tuple(files)})
        apps.append(app.model_copy(update={"app": inner}))
    return team.model_copy(update={"apps": tuple(apps)}), findings


def named_in(data: Any) -> Iterator[str]:
    """The paths after `from` in a team's file, as it was read, right or wrong."""
    for app in _items(data, "apps"):
        for file in _items(app.get("app"), "files"):
            if isinstance(path := file.get("from"), str):
                yield path


def _items(holder: Any, key: str) -> Iterator[dict[str, Any]]:
    found = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(found, tuple):
        yield from (each for each in found if isinstance(each, dict))


def check_files(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report files without a text or with two, credentials, and what no ConfigMap can hold."""
    at: Loc = (*inner, "files")
    keys: dict[str, File] = {}
    total = 0
    for index, file in enumerate(container.files):
        if file.content is None and file.from_ is None:
            yield (*at, index), "has neither content nor from; add one of the two"
        other = keys.setdefault(file.key, file)
        if other is not file and other.path != file.path:
            yield (
                (*at, index, "path"),
                f"'{file.path}' and '{other.path}' get the same key '{file.key}' in the ConfigMap; "
                "rename one",
            )
        if len(file.key) > DNS_NAME_MAX:
            yield (*at, index, "path"), f"is longer than {DNS_NAME_MAX} characters; shorten it"
        text = file.content or ""
        loc: Loc = (*at, index, "from" if file.from_ else "content")
        if "\0" in text:
            yield loc, "is not text; mount only text files"
        if not file.plain and (found := _credential(text)):
            line, reason = found
            where = f"line {line} of {file.from_}" if file.from_ else f"line {line}"
            yield (
                loc,
                f"{where}: {reason}; use secretFiles or a variable with a secretRef, or add "
                "`plain: true` if it is not a credential",
            )
        size = len(text.encode(errors="surrogatepass"))
        total += size
        if total > MOST_BYTES >= total - size:
            yield (
                loc,
                f"with it the files have {total} bytes, but a ConfigMap holds {MOST_BYTES} at "
                "most; shorten them, or put them into the image",
            )


def _credential(text: str) -> tuple[int, str] | None:
    """The first line that looks like a credential, and why."""
    for number, line in enumerate(text.splitlines(), 1):
        if reason := credential_in(line):
            return number, reason
    return None


def credential_in(line: str) -> str | None:
    """Why a line of a file looks as if it had a credential; None if nothing suggests so."""
    line = _FILLED_IN.sub(r"\1${}", line)
    if form := credential_form(line.strip()):
        return f"contains {form}"
    for name, value in (
        *_SETTING.findall(line),
        *_ELEMENT.findall(line),
        *_ATTRIBUTES.findall(line),
        *(("password", value) for value in _PASSWORD.findall(line)),
    ):
        reason = looks_like_credential(name, value)
        if reason and not _NO_CREDENTIAL.search(value):
            return reason
    return None


def _read(folder: Path, path: str) -> str:
    """The text of a file; raises ValueError, "what is wrong; what to do"."""
    file = folder
    try:
        for part in path.split("/"):
            file /= part
            if file.is_symlink():
                raise ValueError(f"'{path}' is a link, or is behind one; put the file itself there")
        if not file.exists():
            raise ValueError(f"'{path}' does not exist beside the team's file; check the path")
        if not file.is_file():
            raise ValueError(f"'{path}' is not a regular file; name one")
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(
                f"'{path}' has {file.stat().st_size} bytes, but a ConfigMap holds at most "
                f"{MOST_BYTES}; shorten it, or put it into the image"
            )
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(
            f"line {line} of '{path}' is not UTF-8; mount only text files, in UTF-8"
        ) from None
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error.strerror}; check the file") from None
