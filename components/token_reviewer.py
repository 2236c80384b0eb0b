"""The token with which an OpenBao outside the cluster checks logins (NIST 800-53 AC-6, IA-5)."""

import base64

import pulumi
from pulumi_kubernetes.core.v1 import Secret, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import ClusterRoleBinding, RoleRefArgs, SubjectArgs

from components.metadata import platform_labels

NAME = "openbao-token-reviewer"
NAMESPACE = "kube-system"


def token_reviewer(parent: pulumi.Resource) -> pulumi.Output[str]:
    """The secret token of a ServiceAccount that may review tokens, and nothing else.

    Without it, OpenBao presents each caller's own token to the API server, and every ServiceAccount
    that logs in would need that right.
    """
    opts = pulumi.ResourceOptions(parent=parent)
    account = ServiceAccount(
        f"{NAMESPACE}/{NAME}",
        metadata=_metadata(NAMESPACE),
        automount_service_account_token=False,
        opts=opts,
    )
    ClusterRoleBinding(
        NAME,
        metadata=_metadata(None),
        role_ref=RoleRefArgs(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="system:auth-delegator"
        ),
        subjects=[SubjectArgs(kind="ServiceAccount", name=NAME, namespace=NAMESPACE)],
        opts=opts,
    )
    token = Secret(
        f"{NAMESPACE}/{NAME}",
        metadata=_metadata(
            NAMESPACE,
            {"kubernetes.io/service-account.name": account.metadata["name"]},
        ),
        type="kubernetes.io/service-account-token",
        opts=opts,
    )
    # The SDK marks `data` as secret; the provider waits until Kubernetes has added the token.
    return token.data["token"].apply(lambda encoded: base64.b64decode(encoded).decode("ascii"))


def _metadata(
    namespace: str | None, annotations: dict[str, pulumi.Input[str]] | None = None
) -> ObjectMetaArgs:
    return ObjectMetaArgs(
        name=NAME,
        namespace=namespace,
        labels=platform_labels(NAME),
        annotations=annotations,
    )
