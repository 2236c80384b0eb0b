"""An app's environment variables, plain or from secrets (guide: app.env)."""

import re
from typing import Annotated

from pydantic import Field

from specs import names
from specs.base import Spec, checked
from specs.credentials import credential_form

# Secrets that the platform itself keeps under a team's path; no app reads them by secretRef.
PULL_SECRET = "harbor-pull"
PUSH_SECRET = "harbor-push"

_SECRET_NAME = rf"(?!({PULL_SECRET}|{PUSH_SECRET})$){names.DNS_NAME}"


def check_secret_name(value: str) -> None:
    """Raise ValueError, "what is wrong; what to do", which shows no credential."""
    # Shown only if it is clearly a name: it may be the secret itself.
    if credential_form(value):
        raise ValueError("contains the secret itself; store it in OpenBao and write its name here")
    if "/" in value or ".." in value:
        raise ValueError(
            "must be a name, not a path; write only the name, such as my-api-db-credentials"
        )
    if value in (PULL_SECRET, PUSH_SECRET):
        raise ValueError(f"'{value}' is the platform's own secret; choose another name")
    try:
        names.check_dns_name(value)
    except ValueError:
        raise ValueError(
            "is not a secret's name; use lower-case letters, digits and '-', "
            "such as my-api-db-credentials"
        ) from None


SecretName = Annotated[str, checked(check_secret_name, _SECRET_NAME, maxLength=names.DNS_NAME_MAX)]


def check_secret_key(value: str) -> None:
    """Raise ValueError, "what is wrong; what to do", which does not show the key."""
    # Not shown if it is wrong: it may be the secret itself.
    if credential_form(value):
        raise ValueError("contains the secret itself; write the name of its key here")
    try:
        names.check_data_key(value)
    except ValueError:
        raise ValueError(
            "is not a key's name; use letters, digits, '-', '_' and '.', such as password"
        ) from None


SecretKey = Annotated[str, checked(check_secret_key, names.DATA_KEY, maxLength=names.DNS_NAME_MAX)]

# The key of a secret that has one alone.
VALUE = "value"

# A wrong name is shown only if it is clearly a name: it may be the secret itself.
_PLAIN_ENV_NAME = re.compile(r"(?=.*[A-Z])[A-Z0-9_. -]+")


def _check_env_name(value: str) -> None:
    if "=" in value:  # not shown: a secret may follow it
        raise ValueError("contains a '='; write only the name, and its value in `value`")
    if credential_form(value):
        raise ValueError("contains the secret itself; write a name here, and use secretRef")
    try:
        names.check_env_name(value)
    except ValueError:
        if not value or _PLAIN_ENV_NAME.fullmatch(value):
            raise
        raise ValueError(
            "is not a variable's name; use letters, digits and '_', such as LOG_LEVEL"
        ) from None


class EnvVar(Spec):
    """One environment variable: a plain `value`, or a secret by `secretRef` (guide: app.env)."""

    name: Annotated[str, checked(_check_env_name, names.ENV_NAME)] = Field(
        description="Name of the variable.", examples=["LOG_LEVEL"]
    )
    value: str | None = Field(
        None, description="Plain value, quoted; nothing secret.", examples=['"info"']
    )
    secret_ref: SecretName | None = Field(
        None,
        description="Name of the team's secret in OpenBao (`sre/<team>/<name>`): creates "
        "the ExternalSecret and the Secret of that name.",
        examples=["my-api-db-credentials"],
    )
    key: SecretKey | None = Field(
        None,
        description=f"Key of the secret; default: `{VALUE}`.",
        examples=["password"],
    )
    plain: bool = Field(
        False,
        description="Confirms that `value` is not a credential although its name or "
        "form suggests one.",
    )

    @property
    def secret_key(self) -> str:
        """The key of its secret."""
        return self.key or VALUE


def _check_prefix(value: str) -> None:
    if value:
        _check_env_name(value)


class EnvFrom(Spec):
    """A whole secret as environment variables, one for each of its keys."""

    secret_ref: SecretName = Field(
        description="Name of the team's secret in OpenBao (`sre/<team>/<name>`).",
        examples=["shop-db"],
    )
    prefix: Annotated[str, checked(_check_prefix, f"({names.ENV_NAME})?")] = Field(
        "",
        description="Put before each key in the variables' names.",
        examples=["DB_"],
    )
