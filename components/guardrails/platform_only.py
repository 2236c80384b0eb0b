"""Kinds that only the platform may create."""

from components.guardrails.policy import Policy, PolicyRule
from specs.settings import Settings

_KINDS = {
    "networking.k8s.io": (
        ["networkpolicies", "ingresses"],
        "network access is set in the team's file: apps[].networkPolicy and apps[].ingress",
    ),
    # A team's own store without a ServiceAccount logs in as the operator, which reads all teams'
    # secrets. Generators run as the operator too.
    "external-secrets.io": (
        ["secretstores", "pushsecrets"],
        "the platform's secret store is the only one; set apps[].app.env[].secretRef in "
        "the team's file",
    ),
    "generators.external-secrets.io": (
        ["*"],
        "store the value in OpenBao and set apps[].app.env[].secretRef in the team's file",
    ),
    # They reach beyond the namespace (which sidecars and gateways know a host, and where a gateway
    # routes), change what a sidecar runs, or lead out of the mesh.
    "networking.istio.io": (
        [
            "gateways",
            "serviceentries",
            "workloadentries",
            "workloadgroups",
            "envoyfilters",
            "sidecars",
            "proxyconfigs",
        ],
        "the platform manages the mesh; use apps[].ingress and apps[].calls in the team's file, or "
        "ask the platform team",
    ),
    "security.istio.io": (
        ["peerauthentications"],
        "mutual TLS is STRICT in the whole mesh; ask the platform team for an exception",
    ),
    "extensions.istio.io": (
        ["*"],
        "the platform manages the mesh; ask the platform team",
    ),
    "gateway.networking.k8s.io": (
        ["*"],
        "use apps[].ingress in the team's file",
    ),
    # Flux applies their contents with its own rights.
    "helm.toolkit.fluxcd.io": (["*"], "deploy apps with apps[] in the team's file"),
    "kustomize.toolkit.fluxcd.io": (["*"], "deploy apps with apps[] in the team's file"),
    # By relabelling, a monitor makes Prometheus call any address in the cluster; by
    # bearerTokenFile, it makes Prometheus send its own token there. A team's own Prometheus or
    # Alertmanager collects the contents of all namespaces' monitors and alert routes, including
    # secrets.
    "monitoring.coreos.com": (
        [
            "servicemonitors",
            "podmonitors",
            "probes",
            "scrapeconfigs",
            "prometheuses",
            "prometheusagents",
            "alertmanagers",
            "alertmanagerconfigs",
            "thanosrulers",
        ],
        "set apps[].serviceMonitor and apps[].alerts in the team's file",
    ),
}


# Where the stack has AuthorizationPolicies, a team's own could admit others, or lift an audit.
_AUTHORIZED = {
    "security.istio.io": (
        ["peerauthentications", "authorizationpolicies"],
        "mutual TLS and who may call whom are the platform's; use apps[].callers in the team's "
        "file, or ask the platform team",
    )
}


def policy(settings: Settings) -> Policy:
    """Kinds that reach beyond the namespace, or undo what the platform created in it."""
    operator = settings.external_secrets
    kinds = {**_KINDS, **(_AUTHORIZED if settings.istio.authorization else {})}
    account = f"system:serviceaccount:{operator.namespace}:{operator.service_account}"
    return Policy(
        "sre-platform-only",
        resources={group: resources for group, (resources, _) in kinds.items()},
        # One per group, false for that group, so that each has its own message.
        rules=[
            PolicyRule(
                f"request.resource.group != '{group}'",
                f"only the platform may create this; {instead}",
            )
            for group, (_, instead) in kinds.items()
        ],
        operations=("CREATE", "UPDATE", "DELETE"),
        conditions={
            # It maintains finalizers on stores and the state of generators.
            "not-external-secrets": f"request.userInfo.username != '{account}'",
            # Deleting an object completes once its controllers have removed their finalizers.
            "not-a-finalizer-s-end": "request.operation != 'UPDATE' "
            "|| !has(oldObject.metadata.deletionTimestamp) || object.?spec != oldObject.?spec",
        },
    )
