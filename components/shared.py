"""Names of the platform's resources that tenants refer to."""

from dataclasses import dataclass

import pulumi

from specs.secret_paths import MOUNT
from specs.settings import SECRET_STORE

LOGIN_TOKEN_TTL = 3600
"""Seconds; lifetime of the OpenBao token that a ServiceAccount logs in for."""


@dataclass(frozen=True)
class Shared:
    """Plain names; outputs in the stack that creates the resources, so that users of them wait."""

    kv_mount: pulumi.Input[str] = MOUNT
    auth_mount: pulumi.Input[str] = "kubernetes"
    secret_store: pulumi.Input[str] = SECRET_STORE
