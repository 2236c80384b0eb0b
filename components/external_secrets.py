"""ExternalSecrets: how secrets get from OpenBao into a namespace (guide: Secrets Management)."""

import base64
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.metadata import Labels, Place, object_meta, platform_labels
from components.providers import openbao_address
from components.shared import Shared
from specs.env_vars import PULL_SECRET
from specs.environment import store_ca_cert
from specs.secret_paths import secret_path
from specs.settings import SECRET_STORE, STORE_KINDS, Settings

# A Go template with sprig's functions, which the operator runs (External Secrets: templating v2).
_DOCKER_CONFIG = (
    '{"auths": { {{ .registry | toJson }}: {'
    '"username": {{ .username | toJson }}, "password": {{ .password | toJson }}, '
    '"auth": {{ printf "%s:%s" .username .password | b64enc | toJson }}'
    " } } }"
)

_IN_CLUSTER = "https://openbao.openbao.svc.cluster.local:8200"

_GROUP = "external-secrets.io"
_VERSIONS = ("v1", "v1beta1")


def cluster_secret_store(
    settings: Settings, shared: Shared, role: pulumi.Input[str], parent: pulumi.Resource
) -> pulumi.Output[str]:
    """`openbao-backend`: the store of every namespace's ExternalSecrets; its name.

    `role` is an output where this stack makes it: the operator logs in at once, and if it cannot,
    the store is not ready until it tries again.
    """
    operator = settings.external_secrets
    account = {"name": operator.service_account, "namespace": operator.namespace}
    return _store(
        "ClusterSecretStore",
        SECRET_STORE,
        ObjectMetaArgs(name=SECRET_STORE, labels=platform_labels(SECRET_STORE)),
        _openbao(settings, shared, role, account),
        settings,
        pulumi.ResourceOptions(parent=parent),
    )


def tenant_secret_store(
    place: Place, labels: Labels, shared: Shared, role: pulumi.Input[str], settings: Settings
) -> pulumi.Output[str]:
    """The team's own `openbao-backend`; its name.

    It logs in as a ServiceAccount of the namespace, and so gets the team's policy, whatever an
    ExternalSecret asks for. `role` is an output where this stack makes it, as above.
    """
    account = ServiceAccount(
        place.name(SECRET_STORE),
        metadata=object_meta(place, SECRET_STORE, labels),
        automount_service_account_token=False,
        opts=place.options,
    )
    return _store(
        "SecretStore",
        place.name(SECRET_STORE),
        object_meta(place, SECRET_STORE, labels),
        _openbao(settings, shared, role, {"name": account.metadata["name"]}),
        settings,
        place.options,
    )


def _store(
    kind: str,
    name: str,
    metadata: ObjectMetaArgs,
    vault: Mapping[str, object],
    settings: Settings,
    options: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    aliases = pulumi.ResourceOptions(aliases=_other_versions(kind, settings))
    store = CustomResource(
        name,
        api_version=_api_version(settings),
        kind=kind,
        metadata=metadata,
        spec={"provider": {"vault": vault}},
        opts=pulumi.ResourceOptions.merge(options, aliases),
    )
    # The plain name, but anything that uses it waits for the store.
    return store.urn.apply(lambda _: SECRET_STORE)


def _openbao(
    settings: Settings,
    shared: Shared,
    role: pulumi.Input[str],
    account: Mapping[str, pulumi.Input[str]],
) -> Mapping[str, object]:
    """How the operator reaches OpenBao, and its login."""
    openbao = settings.openbao
    server = openbao.cluster_address or (
        _IN_CLUSTER if openbao.in_cluster else openbao_address(settings)
    )
    ca_cert = openbao.cluster_ca_cert or store_ca_cert(settings)
    login = {"mountPath": shared.auth_mount, "role": role, "serviceAccountRef": account}
    return {
        "server": server,
        "path": shared.kv_mount,
        "version": "v2",
        "auth": {"kubernetes": login},
        **({"caBundle": base64.b64encode(ca_cert.encode()).decode()} if ca_cert else {}),
    }


def app_secret(
    place: Place,
    name: str,
    keys: frozenset[str] | None,
    labels: Labels,
    shared: Shared,
    settings: Settings,
) -> CustomResource:
    """The Secret `name` from `sre/<team>/<name>` in OpenBao: these keys, or None for all."""
    key = secret_path(place.team, name)
    source: Mapping[str, object] = {"dataFrom": [{"extract": {"key": key}}]}
    if keys is not None:
        source = {"data": _data(key, sorted(keys))}
    return _external_secret(place, name, labels, shared, settings, {"name": name}, source)


def pull_secret(
    place: Place,
    labels: Labels,
    shared: Shared,
    settings: Settings,
    credentials: Sequence[pulumi.Resource],
) -> CustomResource:
    """The image pull Secret, from the pull robot's credential in OpenBao.

    `credentials` are those that this stack itself stores there, and so must store first.
    """
    key = secret_path(place.team, PULL_SECRET)
    source = {"data": _data(key, ("registry", "username", "password"))}
    target = {
        "name": PULL_SECRET,
        "template": {
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": _DOCKER_CONFIG},
        },
    }
    return _external_secret(
        place, PULL_SECRET, labels, shared, settings, target, source, credentials
    )


def _data(key: str, properties: Sequence[str]) -> list[Mapping[str, object]]:
    # A secret is stored as a JSON document: without `property`, the pod would get all of it.
    return [{"secretKey": each, "remoteRef": {"key": key, "property": each}} for each in properties]


def _external_secret(
    place: Place,
    name: str,
    labels: Labels,
    shared: Shared,
    settings: Settings,
    target: Mapping[str, object],
    source: Mapping[str, object],
    depends_on: Sequence[pulumi.Resource] = (),
) -> CustomResource:
    return CustomResource(
        place.name(name),
        api_version=_api_version(settings),
        kind="ExternalSecret",
        metadata=object_meta(place, name, labels),
        spec={
            "refreshInterval": settings.external_secrets.refresh_interval,
            "secretStoreRef": {
                "name": shared.secret_store,
                "kind": STORE_KINDS[settings.external_secrets.secret_store],
            },
            "target": target,
            **source,
        },
        opts=place.with_options(depends_on, _other_versions("ExternalSecret", settings)),
    )


def _api_version(settings: Settings) -> str:
    return f"{_GROUP}/{settings.external_secrets.api_version}"


def _other_versions(kind: str, settings: Settings) -> list[pulumi.Alias]:
    """Aliases from the time when the stack used another version of the API.

    The version is part of the resource's type: without these, a stack that moves from v1beta1 to v1
    would delete and recreate every object.
    """
    return [
        pulumi.Alias(type_=f"kubernetes:{_GROUP}/{version}:{kind}")
        for version in _VERSIONS
        if version != settings.external_secrets.api_version
    ]
