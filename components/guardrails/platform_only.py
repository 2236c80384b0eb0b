"""Kinds that the platform alone makes."""

from components.guardrails.policy import Policy, PolicyRule
from specs.settings import Settings

_KINDS = {
    "networking.k8s.io": (
        ["networkpolicies", "ingresses"],
        "network access is set in the team's file: apps[].networkPolicy and apps[].ingress",
    ),
    # A store of one's own that names no ServiceAccount logs in as the operator, which reads all
    # teams' secrets. Generators run as the operator too.
    "external-secrets.io": (
        ["secretstores", "pushsecrets"],
        "the platform's secret store is the only one; name a secret in the team's file: "
        "apps[].app.env[].secretRef",
    ),
    "generators.external-secrets.io": (
        ["*"],
        "store the value in OpenBao and name it in the team's file: apps[].app.env[].secretRef",
    ),
    # They reach beyond the namespace (whose sidecars and gateways hear of a host, and where a
    # gateway sends its traffic), change what a sidecar runs, or lead out of the mesh.
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
        "the mesh is the platform's; an app is reached by apps[].ingress in the team's file, for "
        "more ask the platform team",
    ),
    "security.istio.io": (
        ["peerauthentications"],
        "mutual TLS is STRICT in the whole mesh; ask the platform team for an exception",
    ),
    "extensions.istio.io": (
        ["wasmplugins"],
        "the mesh is the platform's; ask the platform team",
    ),
    "gateway.networking.k8s.io": (
        ["*"],
        "an app is reached by apps[].ingress in the team's file",
    ),
    # Flux applies what they say with its own rights.
    "helm.toolkit.fluxcd.io": (["*"], "an app is deployed by the team's file: apps[]"),
    "kustomize.toolkit.fluxcd.io": (["*"], "an app is deployed by the team's file: apps[]"),
    # By relabelling, a monitor makes Prometheus call any address in the cluster; by
    # bearerTokenFile, show its own token there. A Prometheus or Alertmanager of one's own gathers
    # what all namespaces' monitors and alert routes hold, secrets too.
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
        "what is scraped is set in the team's file, apps[].serviceMonitor, and so are alerts: "
        "apps[].alerts",
    ),
}


def policy(settings: Settings) -> Policy:
    """Kinds that reach beyond the namespace, or undo what the platform made in it."""
    operator = settings.external_secrets
    account = f"system:serviceaccount:{operator.namespace}:{operator.service_account}"
    return Policy(
        "sre-platform-only",
        resources={group: resources for group, (resources, _) in _KINDS.items()},
        # One a group and false for it, so that each has a message of its own.
        rules=[
            PolicyRule(
                f"request.resource.group != '{group}'", f"made by the platform only: {instead}"
            )
            for group, (_, instead) in _KINDS.items()
        ],
        operations=("CREATE", "UPDATE", "DELETE"),
        conditions={
            # It keeps finalizers on stores and the state of generators.
            "not-external-secrets": f"request.userInfo.username != '{account}'",
            # What is being deleted goes once its controllers have taken their finalizers away.
            "not-a-finalizer-s-end": "request.operation != 'UPDATE' "
            "|| !has(oldObject.metadata.deletionTimestamp) || object.?spec != oldObject.?spec",
        },
    )
