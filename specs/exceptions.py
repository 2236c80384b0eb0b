"""Exceptions from the hardening of an app's pods: each has an owner and an end."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from specs.base import LENIENT, Spec, checked
from specs.names import nearest

WRITABLE_ROOT, PRIVILEGED_PORT = "writableRootFilesystem", "privilegedPort"
NET_BIND_SERVICE = "NET_BIND_SERVICE"

# What Pod Security `baseline` lets a container add (Kubernetes: Pod Security Standards).
CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    NET_BIND_SERVICE,
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
ALLOWED = (WRITABLE_ROOT, PRIVILEGED_PORT, *CAPABILITIES)

# The controls (NIST 800-53, revision 5) that each is about, beside CM-6, by which a deviation from
# the settings is documented and approved.
_CONTROLS = {WRITABLE_ROOT: ("CM-7", "SI-7"), PRIVILEGED_PORT: ("CM-7", "SC-7")}
_CAPABILITY_CONTROLS = ("AC-6", "CM-7")

FIRST_UNPRIVILEGED_PORT = 1024

# On a Deployment or CronJob: its app's exceptions as JSON.
EXCEPTIONS_ANNOTATION = "sre.io/exceptions"

# After a team's name: the admission policy that says what Pod Security `restricted` would, but for
# the team's exceptions.
RESTORING = "-exceptions"

# What authors may ask for that would undo the hardening as a whole: words in lower case, and why.
_NEVER = {
    "privileged": "a privileged container is root on its node",
    "hostnetwork hostpid hostipc hostnamespaces hostusers hostport": (
        "a pod never shares its node's namespaces or ports"
    ),
    "hostpath": "a pod never sees its node's disk",
    "root runasroot runasnonroot runasuser rootuser": "a pod never runs as root",
    "allowprivilegeescalation privilegeescalation": (
        "a process never gains more rights than its parent has"
    ),
    "seccomp seccompprofile unconfined": "a pod never runs without its runtime's seccomp profile",
    "token serviceaccounttoken automountserviceaccounttoken": (
        "a pod never gets a token of the API server"
    ),
}
_WITHOUT_IT = "remove the exception, and have the app run without it"
_LONGEST = 1000  # all of an app's are in one annotation
_A_TYPO = 0.85  # SYS_ADMIN is none of SYS_CHROOT

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _check_allow(value: str) -> None:
    if value in ALLOWED:
        return
    word = value.rpartition(":")[2].strip()
    capability = word.upper().removeprefix("CAP_")
    if capability in CAPABILITIES:
        raise ValueError(f"'{value}' is not how a capability is written; write {capability}")
    letters = re.sub(r"[^a-z]", "", word.lower())
    if why := next((why for words, why in _NEVER.items() if letters in words.split()), None):
        raise ValueError(f"'{value}' is never allowed: {why}; {_WITHOUT_IT}")
    is_capability = word != value or re.fullmatch(r"[A-Z][A-Z_]+", word)
    if hint := nearest(word, ALLOWED, _A_TYPO if is_capability else 0.6):
        raise ValueError(f"'{value}' cannot be allowed; did you mean {hint}?")
    if is_capability:
        raise ValueError(
            f"'{value}' is never allowed: the only capabilities are {', '.join(CAPABILITIES)}; "
            f"{_WITHOUT_IT}"
        )
    raise ValueError(
        f"'{value}' cannot be allowed; use {WRITABLE_ROOT}, {PRIVILEGED_PORT} or a capability: "
        f"{', '.join(CAPABILITIES)}"
    )


def _check_said(value: str) -> None:
    if not value.strip():
        raise ValueError("is empty; write some text")
    if len(value) > _LONGEST:
        raise ValueError(f"has {len(value)} characters, but at most {_LONGEST} fit; shorten it")


def _as_date(value: Any, info: ValidationInfo) -> Any:
    """A date without quotes, which YAML reads as one, or with them."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # such as the 30th of February
    if info.context is LENIENT:
        return date.max
    quoted = f"'{value}' " if isinstance(value, str | int | datetime) else ""
    raise ValueError(f"{quoted}is not a date; write one such as 2027-03-31")


def controls(allow: str) -> tuple[str, ...]:
    """The controls that an exception is about."""
    return "CM-6", *_CONTROLS.get(allow, _CAPABILITY_CONTROLS)


Allow = Annotated[str, checked(_check_allow, enum=list(ALLOWED))]
Said = Annotated[str, checked(_check_said, r"[\s\S]*\S[\s\S]*", maxLength=_LONGEST)]
Day = Annotated[
    date,
    BeforeValidator(_as_date),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DATE.pattern}$"}),
]


class HardeningException(Spec):
    """Something that the hardening forbids and the app still needs, until a date."""

    allow: Allow = Field(
        description="What the app may do: `writableRootFilesystem` (its containers write to their "
        "whole file system), `privilegedPort` (it listens on its ports below 1024), or a "
        "capability that Pod Security `baseline` allows, such as `NET_BIND_SERVICE`, for its own "
        "container.",
        examples=[WRITABLE_ROOT],
    )
    reason: Said = Field(
        description="Why the app needs it.", examples=['"rewrites its own plugins at start"']
    )
    ticket: Said = Field(description="Where it was decided.", examples=["SEC-12"])
    approved_by: Said = Field(
        description="Who approved it and answers for it.", examples=["jane.doe@example.com"]
    )
    until: Day = Field(
        description="Last day (UTC) on which it holds. After it, the file is invalid until the "
        "exception is renewed or removed.",
        examples=["2027-03-31"],
    )
