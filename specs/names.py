"""Grammars of the names in a team's file, as Kubernetes, DNS, Istio and OCI define them."""

import difflib
import re
from collections.abc import Iterable

from specs.credentials import credential_form

DNS_LABEL_MAX = 63  # RFC 1123; also the limit of a label's value in Kubernetes
DNS_NAME_MAX = 253  # RFC 1123; the limit of most object names in Kubernetes
TAG_MAX = 128  # OCI distribution specification

# The same grammars as regular expressions, for JSON Schema; the functions check what these cannot
# express, or not well. A limit on the length of the whole name is set beside the pattern.
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
DNS_LABEL = rf"[a-z0-9]([a-z0-9-]{{0,{DNS_LABEL_MAX - 2}}}[a-z0-9])?"
DNS_NAME = rf"{_LABEL}(\.{_LABEL})*"
HOST = rf"(?!.*\.([0-9]+|svc|cluster\.local)$){DNS_LABEL}(\.{DNS_LABEL})+"
ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
TAG = rf"(?![Ll][Aa][Tt][Ee][Ss][Tt]$)[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{TAG_MAX - 1}}}"
DIGEST = r"sha256:[0-9a-f]{64}"
DATA_KEY = r"(?!\.\.|\.$)[-._a-zA-Z0-9]+"

# Words that another YAML reader may take for a number, a date, a truth value or nothing.
_OTHER_VALUE = (
    r"null|true|false|yes|no|on|off|y|n"
    r"|0x[0-9a-f]+|0o[0-7]+|0b[01]+|[0-9]+(e-?[0-9]+)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
)

# A Harbor project has single separators between letters and digits (goharbor/harbor:
# src/pkg/project/manager.go, restrictedNameChars); a namespace is a DNS label.
TEAM_NAME = rf"(?!({_OTHER_VALUE})$)[a-z0-9]+(-[a-z0-9]+)*"

_HOST_EXAMPLE = "my-api.apps.sre.example.com"
_CLUSTER_SUFFIXES = (".svc", ".cluster.local")
_HAS_DIGEST = re.compile(r"@|sha(?:256|512):")

# The words of a key such as targetCPUUtilization.
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+")
_ONE_LETTER_OFF = 0.9

# Characters that a label, a variable's name and a tag must not contain.
_NO_LABEL = re.compile(r"[^a-z0-9-]")
_NO_ENV_NAME = re.compile(r"[^A-Za-z0-9_]")
_NO_TAG = re.compile(r"[^A-Za-z0-9_.-]")
_NO_DATA_KEY = re.compile(r"[^-._a-zA-Z0-9]")


def check_dns_label(text: str, max_length: int = DNS_LABEL_MAX) -> None:
    """Raise ValueError unless `text` is a DNS-1123 label of at most `max_length` characters."""
    _check_length(text, max_length)
    _check_label(text)


def check_team_name(text: str) -> None:
    """Raise ValueError unless `text` can name both a namespace and a Harbor project.

    That is a DNS-1123 label without a double hyphen. Names that some reader takes for something
    other than text are rejected too, although both would accept them: Harbor's API looks up `123`
    as a project's number, and `no` in a manifest is a truth value to Kubernetes.
    """
    check_dns_label(text)
    if "--" in text:
        single = re.sub("-+", "-", text)
        raise ValueError(
            f"{text!r} has '-' twice in a row, which Harbor refuses in a project's name; "
            f"write {single}"
        )
    if text.isdecimal():
        raise ValueError(
            f"{text!r} is a number, which Harbor takes for a project's id; "
            f"start with a letter, such as team-{text}"
        )
    if re.fullmatch(_OTHER_VALUE, text):
        raise ValueError(
            f"{text!r} is not text in YAML unless it is quoted everywhere; choose another name, "
            f"such as team-{text}"
        )


def check_dns_name(text: str) -> None:
    """Raise ValueError unless `text` is a DNS-1123 subdomain: labels joined by dots.

    As in Kubernetes, only the whole is limited (253 characters), not each label.
    """
    _check_length(text, DNS_NAME_MAX)
    for label in _labels(text):
        _check_label(label)


def check_host(text: str) -> None:
    """Raise ValueError unless `text` is a public host name that an Istio VirtualService can claim.

    That is a lower-case DNS name of two labels or more: no wildcard, scheme, port, path, IP address
    or name of a Service inside the cluster.
    """
    instead = f"write only the host name, such as {_HOST_EXAMPLE}"
    if "@" in text:  # not shown: a password may precede it
        raise ValueError(f"the host contains a user name or an '@'; {instead}")
    _check_length(text, DNS_NAME_MAX)
    if "://" in text:
        raise ValueError(f"{text!r} contains a scheme; {instead}")
    if "/" in text:
        raise ValueError(f"{text!r} contains a path; {instead}")
    if text.count(":") > 1 or text.rpartition(".")[2].isdecimal():
        raise ValueError(
            f"{text!r} is an IP address, not a host name; write one such as {_HOST_EXAMPLE}"
        )
    if ":" in text:
        raise ValueError(f"{text!r} contains a port; {instead}")
    if "*" in text:
        raise ValueError(
            f"{text!r} contains a wildcard; write one full host name, such as {_HOST_EXAMPLE}"
        )
    labels = _labels(text)
    for label in labels:
        check_dns_label(label)
    if len(labels) == 1:
        raise ValueError(
            f"{text!r} has no domain; write the full host name, such as {_HOST_EXAMPLE}"
        )
    if text.endswith(_CLUSTER_SUFFIXES):
        raise ValueError(
            f"{text!r} is a name inside the cluster; write the host name that users call, "
            f"such as {_HOST_EXAMPLE}"
        )


def check_env_name(text: str) -> None:
    """Raise ValueError unless `text` is a C identifier, which every shell and runtime can read."""
    if not text:
        raise ValueError("the name is empty; write one such as LOG_LEVEL")
    _check_characters(text, _NO_ENV_NAME, "letters, digits and '_'")
    if text[0].isdecimal():
        raise ValueError(f"{text!r} starts with a digit; start with a letter or '_'")


def check_tag(text: str) -> None:
    """Raise ValueError unless `text` is an OCI image tag that names a version.

    Rejected beyond the grammar: `latest` in any case, a digest, which is not part of a tag, and a
    credential, which is not shown.
    """
    if form := credential_form(text):
        raise ValueError(f'contains {form}; pin a version such as "v1.0.0"')
    if not text:
        raise ValueError('the tag is empty; pin a version such as "v1.0.0"')
    if text.lower() == "latest":
        raise ValueError(f'{text!r} is not a version; pin one such as "v1.0.0"')
    if _HAS_DIGEST.search(text):
        raise ValueError(
            f"{text!r} contains a digest; write only the version here, and the digest in `digest`"
        )
    _check_length(text, TAG_MAX)
    _check_characters(text, _NO_TAG, "letters, digits, '_', '.' and '-'")
    if text[0] in ".-":
        raise ValueError(f"{text!r} starts with {text[0]!r}; start with a letter, a digit or '_'")


def check_digest(text: str) -> None:
    """Raise ValueError unless `text` is an image's digest, by the guardrails' one algorithm."""
    if not re.fullmatch(DIGEST, text):  # not shown: it may be anything
        raise ValueError(
            "is not a digest; write `sha256:` and 64 digits of 0 to 9 and a to f, as the registry "
            "shows it"
        )


def check_data_key(text: str) -> None:
    """Raise ValueError unless `text` can be a key of a Secret or ConfigMap."""
    _check_length(text, DNS_NAME_MAX)
    _check_characters(text, _NO_DATA_KEY, "letters, digits, '-', '_' and '.'")
    if text == "." or text.startswith(".."):
        raise ValueError(f"{text!r} has a meaning of its own in paths; choose another name")


def chart_name(release: str, app: str) -> str:
    """The name that the guide's charts give all objects of an app's release."""
    return f"{release}-{app}"[:DNS_LABEL_MAX].removesuffix("-")


def nearest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The candidate most similar to `word`, for a "did you mean" hint; None if none is close.

    Case does not count. `cutoff` is the least similarity that counts as close: 0 (any) to 1
    (equal).
    """
    by_folded = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def meant_key(typed: str, keys: Iterable[str]) -> str | None:
    """The key that `typed` misspells, for a "did you mean" hint; None if it is another word.

    Compared word by word: `minAvailable` as a whole resembles `maxUnavailable`, but means something
    else.
    """
    folded = {key.lower(): key for key in keys}
    for near in difflib.get_close_matches(typed.lower(), folded):
        if _misspells(typed, folded[near]):
            return folded[near]
    return nearest(typed, folded.values(), cutoff=_ONE_LETTER_OFF)


def _misspells(typed: str, key: str) -> bool:
    here, there = (_WORDS.findall(text) for text in (typed, key))
    if len(here) != len(there):  # one word too many or too few
        short, long = sorted((here, there), key=len)
        return all(nearest(word, long) for word in short)
    return all(nearest(word, [other]) for word, other in zip(here, there, strict=True))


def _labels(text: str) -> list[str]:
    labels = text.split(".")
    if "" in labels:
        raise ValueError(f"{text!r} has an extra '.'; put single dots between labels only")
    return labels


def _check_label(label: str) -> None:
    _check_characters(label, _NO_LABEL, "lower-case letters, digits and '-'")
    for end, verb in ((label[0], "starts"), (label[-1], "ends")):
        if end == "-":
            raise ValueError(f"{label!r} {verb} with '-'; start and end with a letter or digit")


def _check_length(text: str, most: int) -> None:
    if not text:
        raise ValueError(f"the name is empty; write 1 to {most} characters")
    if len(text) > most:
        raise ValueError(f"{text[:40]!r}... has {len(text)} characters; use {most} at most")


def _check_characters(text: str, wrong_one: re.Pattern[str], described: str) -> None:
    if wrong := wrong_one.search(text):
        raise ValueError(f"{text!r} contains {wrong[0]!r}; use {described} only")
