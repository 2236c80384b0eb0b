"""What all tenants share: the KV mount, Kubernetes logins to OpenBao, the ClusterSecretStore."""

from dataclasses import replace

import pulumi
import pulumi_vault as vault

from clients.kubeconfig import ApiServer, KubeconfigError, api_server
from components.external_secrets import cluster_secret_store
from components.guardrails import guardrails
from components.shared import LOGIN_TOKEN_TTL, Shared
from components.token_reviewer import token_reviewer
from specs.secret_paths import MOUNT
from specs.settings import STORE_ROLE, Settings


class Platform(pulumi.ComponentResource):
    """`sre:platform:Platform`: one stack of a cluster has it; the others refer to it by name.

    `shared`: the names, for each Tenant. Raises pulumi.RunError if an OpenBao outside the cluster
    needs something that the kubeconfig lacks.
    """

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        # Within the cluster, OpenBao takes the CA and the token with which it checks logins from
        # its pod.
        outside = settings.manage.openbao and not settings.openbao.in_cluster
        server = _api_server(settings) if outside else None
        shared_store = settings.external_secrets.secret_store == "cluster"
        super().__init__("sre:platform:Platform", "platform", {}, opts)
        shared = Shared()
        login = settings.manage.openbao and shared_store
        if settings.manage.openbao:
            shared = Shared(
                kv_mount=_kv_mount(self).path, auth_mount=_kubernetes_auth(settings, server, self)
            )
        role = _store_login(settings, shared, self) if login else STORE_ROLE
        if settings.manage.kubernetes:
            guardrails(settings, self)
        if settings.manage.kubernetes and shared_store:
            store = cluster_secret_store(settings, shared, role, self)
            shared = replace(shared, secret_store=store)
        self.shared = shared
        self.register_outputs({})


def _api_server(settings: Settings) -> ApiServer:
    try:
        return api_server(settings.kubernetes.context)
    except KubeconfigError as error:
        raise pulumi.RunError(str(error)) from None


def _kv_mount(parent: pulumi.Resource) -> vault.Mount:
    # Unmounting deletes every team's secrets.
    return vault.Mount(
        MOUNT,
        path=MOUNT,
        type="kv-v2",
        description="Secrets of the teams, at <team>/<name>.",
        # To the provider, a mount that was taken over is "kv" of version 2: the same type by
        # another name, which would replace the mount (terraform-provider-vault, resource_mount.go:
        # readMount).
        opts=pulumi.ResourceOptions(
            parent=parent, protect=True, ignore_changes=["type", "options"]
        ),
    )


def _kubernetes_auth(
    settings: Settings, server: ApiServer | None, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Logins with a ServiceAccount's token, which OpenBao checks with the API server."""
    reviewer = token_reviewer(parent) if server and settings.manage.kubernetes else None
    backend = vault.AuthBackend(
        "kubernetes",
        type="kubernetes",
        path="kubernetes",
        description="Workloads of the cluster.",
        opts=pulumi.ResourceOptions(parent=parent, protect=True),
    )
    config = vault.kubernetes.AuthBackendConfig(
        "kubernetes",
        backend=backend.path,
        kubernetes_host=server.host if server else "https://kubernetes.default.svc",
        kubernetes_ca_cert=server.ca_cert if server else None,
        token_reviewer_jwt=reviewer,
        disable_local_ca_jwt=server is not None,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    # Of the configuration, not of the mount: nobody can log in before.
    return config.backend.apply(lambda path: path or backend.path)


def _store_login(settings: Settings, shared: Shared, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The role of External Secrets, which reads for all teams; its name.

    A namespace gets what its ExternalSecrets name.
    """
    opts = pulumi.ResourceOptions(parent=parent)
    path = pulumi.Output.concat(shared.kv_mount, "/data/*")
    policy = vault.Policy(
        STORE_ROLE,
        name=STORE_ROLE,
        policy=path.apply(lambda path: f'path "{path}" {{\n  capabilities = ["read"]\n}}\n'),
        opts=opts,
    )
    role = vault.kubernetes.AuthBackendRole(
        STORE_ROLE,
        backend=shared.auth_mount,
        role_name=STORE_ROLE,
        bound_service_account_names=[settings.external_secrets.service_account],
        bound_service_account_namespaces=[settings.external_secrets.namespace],
        token_policies=[policy.name],
        token_ttl=LOGIN_TOKEN_TTL,
        opts=opts,
    )
    return role.role_name
