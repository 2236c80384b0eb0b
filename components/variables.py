"""The environment variables of an app's container."""

from pulumi_kubernetes.core.v1 import (
    EnvFromSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    SecretEnvSourceArgs,
    SecretKeySelectorArgs,
)

from specs.container import Container
from specs.env_vars import EnvVar


def variables(container: Container) -> list[EnvVarArgs] | None:
    """Those that the file names one by one."""
    return [_variable(each) for each in container.env] or None


def whole_secrets(container: Container) -> list[EnvFromSourceArgs] | None:
    """Those that are the keys of a secret."""
    return [
        EnvFromSourceArgs(
            prefix=source.prefix or None,
            secret_ref=SecretEnvSourceArgs(name=source.secret_ref),
        )
        for source in container.env_from
    ] or None


def _variable(variable: EnvVar) -> EnvVarArgs:
    if variable.secret_ref is None:
        return EnvVarArgs(name=variable.name, value=variable.value)
    key = SecretKeySelectorArgs(name=variable.secret_ref, key=variable.secret_key)
    return EnvVarArgs(name=variable.name, value_from=EnvVarSourceArgs(secret_key_ref=key))
