"""The outcome of a request, and who decided it."""

import re

from clients.http import RefusedError
from specs.exceptions import RESTORING

ALLOWED = "allowed"
BY_AUTHENTICATION = "refused by authentication"
BY_RBAC = "refused by RBAC"
BY_POD_SECURITY = "refused by PodSecurity"
BY_QUOTA = "refused by ResourceQuota"
BY_LIMIT_RANGE = "refused by LimitRange"
BY_OPENBAO = "refused by OpenBao"
NO_SUCH_FIELD = "refused: the cluster's version of this kind has no such field"
NOT_ASKED = "not asked: OpenBao has no credential of Harbor's robots"

# By their words, because most of them answer 403. RBAC's denial is the authorizer's own, for a
# resource or a path; the sentence after it comes from its protection against granting rights.
_WORDS = {
    r"User \"[^\"]*\" cannot \S+ (resource|path) ": BY_RBAC,
    r"attempting to grant RBAC permissions not currently held": BY_RBAC,
    r"violates PodSecurity \"": BY_POD_SECURITY,
    r"exceeded quota: ": BY_QUOTA,
    r"maximum \S+ usage per Container is ": BY_LIMIT_RANGE,
    # External Secrets has it from version 1 on; any other unknown field is a mistake of the check.
    r"unknown field \"spec\.target\.manifest\"": NO_SUCH_FIELD,
    r"^Unauthorized$": BY_AUTHENTICATION,
    r"\bpermission denied\b": BY_OPENBAO,
    r"^(namespace|service account name) not authorized$": BY_OPENBAO,
    r"^relative paths not supported$": BY_OPENBAO,
}
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request")


class SelectsNothingError(Exception):
    """The target of a check does not exist, so its outcome would mean nothing."""


class NoRobotError(SelectsNothingError):
    """OpenBao has none of the credentials that a team's project in Harbor would have put there."""


class NotThisOneError(Exception):
    """The team has no target for the check, such as a host; another team must have one."""


def by(policy: str) -> str:
    """Refused by that ValidatingAdmissionPolicy."""
    return f"refused by {policy}"


def selects_nothing(error: SelectsNothingError) -> str:
    """A check's outcome if there was no target."""
    return NOT_ASKED if isinstance(error, NoRobotError) else f"selects nothing: {error}"


def refusal(error: RefusedError) -> str:
    """Who refused; if the words are unknown, the answer itself."""
    if found := _POLICY.search(error.reason):
        # In a namespace of a lower level, this one says what `restricted` would.
        return BY_POD_SECURITY if found[1].endswith(RESTORING) else by(found[1])
    for words, holder in _WORDS.items():
        if re.search(words, error.reason):
            return holder
    return f"answered {error.status}: {error.reason[:200]}"
