"""The three providers, explicit; credentials come from the environment, never from a file."""

import os

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault
import pulumiverse_harbor as harbor

from specs.environment import complaints
from specs.settings import Settings

# For the token that the OpenBao provider creates at the start of a run; nothing renews it. In
# seconds: an hour, as long as a deployment may take (docs/ci.md). The provider's default is 20
# minutes.
_CHILD_TOKEN_TTL = 3600


def providers(settings: Settings) -> list[pulumi.ProviderResource]:
    """One for each target that the stack manages.

    Raises pulumi.RunError, with a line for each missing address or credential, and for an
    environment that turns off TLS verification.
    """
    if wrong := [complaint.message for complaint in complaints(settings)]:
        raise pulumi.RunError("\n".join(wrong))
    made: list[pulumi.ProviderResource] = []
    if settings.manage.kubernetes:
        made.append(_kubernetes(settings))
    if settings.manage.harbor:
        made.append(_harbor(settings))
    if settings.manage.openbao:
        made.append(_openbao(settings))
    return made


def openbao_address(settings: Settings) -> str:
    """The address at which the program reaches OpenBao."""
    return settings.openbao.address or os.environ["VAULT_ADDR"]


def _kubernetes(settings: Settings) -> kubernetes.Provider:
    return kubernetes.Provider(
        "kubernetes",
        # The provider reads KUBECONFIG itself. If left out, the SDK writes that path into the
        # state, where it fails on another machine.
        kubeconfig="",
        context=settings.kubernetes.context,
        # With it, a changed kubeconfig updates the provider; without it, the change may replace
        # every object.
        cluster_identifier=settings.kubernetes.cluster_identifier,
        enable_server_side_apply=True,
        # A file controls the fields that it declares, whoever wrote them last: an autoscaler that
        # has scaled, or kubectl. Without it, that is an error, and a team cannot be suspended.
        enable_patch_force=True,
        # Without it, a changed ConfigMap is deleted and recreated, and pods that start meanwhile
        # find none.
        enable_config_map_mutable=True,
        # Without it, creating an existing object fails. None leaves it out, so that a later run
        # without it is equal.
        upsert_existing_objects=settings.adopt or None,
    )


def _harbor(settings: Settings) -> harbor.Provider:
    return harbor.Provider(
        "harbor",
        url=settings.harbor.url,
        # If left out, the SDK turns verification off. It marks the password (HARBOR_PASSWORD) as
        # secret.
        insecure=settings.harbor.insecure,
    )


def _openbao(settings: Settings) -> vault.Provider:
    return vault.Provider(
        "openbao",
        address=openbao_address(settings),
        # The provider reads VAULT_TOKEN itself: a token given here would be in the state.
        skip_tls_verify=settings.openbao.skip_tls_verify,
        skip_child_token=settings.openbao.skip_child_token,
        max_lease_ttl_seconds=_CHILD_TOKEN_TTL,
    )
