"""The three providers, explicit; credentials come from the environment, never from a file."""

import os

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault
import pulumiverse_harbor as harbor

from specs.settings import Settings


def providers(settings: Settings) -> list[pulumi.ProviderResource]:
    """One for each target that the stack manages.

    Raises pulumi.RunError, a line for each address or credential that is nowhere to be found, and
    for an environment that turns off TLS verification.
    """
    missing = [
        f"{variable} is not set; set it{f', or {key} in the stack config' if key else ''}"
        for variable, key, given in _needed(settings)
        if not given and not os.environ.get(variable)
    ]
    unverified = os.environ.get("VAULT_SKIP_VERIFY", "").lower() not in ("", "0", "f", "false")
    if settings.manage.openbao and unverified and not settings.openbao.skip_tls_verify:
        # The provider obeys it whatever its arguments say.
        missing.append("VAULT_SKIP_VERIFY turns off TLS verification; unset it")
    if missing:
        raise pulumi.RunError("\n".join(missing))
    made: list[pulumi.ProviderResource] = []
    if settings.manage.kubernetes:
        made.append(_kubernetes(settings))
    if settings.manage.harbor:
        made.append(_harbor(settings))
    if settings.manage.openbao:
        made.append(_openbao(settings))
    return made


def openbao_address(settings: Settings) -> str:
    """Where the program reaches OpenBao."""
    return settings.openbao.address or os.environ["VAULT_ADDR"]


def _needed(settings: Settings) -> list[tuple[str, str, str | None]]:
    """Environment variables that must be set: name, the config key that can stand in, its value."""
    needed: list[tuple[str, str, str | None]] = []
    if settings.manage.harbor:
        needed += [
            ("HARBOR_URL", "sre-platform:harbor.url", settings.harbor.url),
            ("HARBOR_USERNAME", "", None),
            ("HARBOR_PASSWORD", "", None),
        ]
    if settings.manage.openbao or _store_needs_address(settings):
        needed.append(("VAULT_ADDR", "sre-platform:openbao.address", settings.openbao.address))
    return needed


def _store_needs_address(settings: Settings) -> bool:
    """Whether this stack makes a secret store that reaches OpenBao where the program does."""
    makes_one = settings.platform or settings.external_secrets.secret_store == "tenant"
    openbao = settings.openbao
    elsewhere = openbao.in_cluster or openbao.cluster_address
    return settings.manage.kubernetes and makes_one and not elsewhere


def _kubernetes(settings: Settings) -> kubernetes.Provider:
    return kubernetes.Provider(
        "kubernetes",
        # The provider reads KUBECONFIG itself. Left out, the SDK writes that path into the state,
        # where another machine trips over it.
        kubeconfig="",
        context=settings.kubernetes.context,
        # With it a changed kubeconfig updates the provider; without, it may replace every object.
        cluster_identifier=settings.kubernetes.cluster_identifier,
        enable_server_side_apply=True,
    )


def _harbor(settings: Settings) -> harbor.Provider:
    return harbor.Provider(
        "harbor",
        url=settings.harbor.url,
        # Left out, the SDK turns verification off. The password (HARBOR_PASSWORD) it marks secret.
        insecure=settings.harbor.insecure,
    )


def _openbao(settings: Settings) -> vault.Provider:
    return vault.Provider(
        "openbao",
        address=openbao_address(settings),
        # VAULT_TOKEN is read by the provider itself: a token given here would be in the state.
        skip_tls_verify=settings.openbao.skip_tls_verify,
        skip_child_token=settings.openbao.skip_child_token,
    )
