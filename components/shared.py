"""Names of the platform's things that tenants refer to."""

from dataclasses import dataclass

import pulumi

from specs.settings import SECRET_STORE


@dataclass(frozen=True)
class Shared:
    """Plain names; in the stack that makes the things outputs, so that what uses them waits."""

    kv_mount: pulumi.Input[str] = "sre"
    auth_mount: pulumi.Input[str] = "kubernetes"
    secret_store: pulumi.Input[str] = SECRET_STORE
