"""Labels and annotations: their grammar, and the reserved keys of a Namespace."""

from typing import Annotated

from specs.base import checked, matching

_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DOMAIN_PART = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_DOMAIN = rf"(?=[^/]{{1,253}}/){_DOMAIN_PART}(\.{_DOMAIN_PART})*/"
_KEY = rf"({_DOMAIN})?{_NAME}"

LabelKey = Annotated[
    str,
    matching(
        _KEY,
        "is not a label key; write one such as kubernetes.io/metadata.name",
    ),
]
LabelValue = Annotated[
    str,
    matching(
        rf"({_NAME})?",
        "is not a label value; use up to 63 letters, digits, '-', '_' and '.'",
    ),
]

# Together, these select an app's pods.
NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"

# Marks a Namespace as a team's, and everything in it as that team's.
TEAM_LABEL = "sre.io/team"
# On a team's Namespace: the hosts of the team's file, joined by commas.
HOSTS_ANNOTATION = "sre.io/hosts"

# On a ConfigMap: it is a dashboard, by the default of the chart kube-prometheus-stack
# (values: grafana.sidecar.dashboards.label).
DASHBOARD_LABEL = "grafana_dashboard"

# On an app's pods: the checksum of its files, so that a change restarts them.
FILES_ANNOTATION = "sre.io/files"


def probe_off(probe: str) -> str:
    """The annotation of a Deployment without that probe: why it has none."""
    return f"sre.io/{probe}-probe-off"


# For all annotations of an object together, keys and values (Kubernetes: ValidateAnnotations).
ANNOTATIONS_MAX_BYTES = 256 * 1024

# Setting such a key on a namespace controls what applies there. They are rejected even if a stack's
# own list allows them. A domain includes its subdomains.
_STEERING: dict[str, tuple[str, ...]] = {
    "Kubernetes itself": ("kubernetes.io", "k8s.io", "x-k8s.io"),
    "the mesh": ("istio.io", "linkerd.io", "kuma.io", "openservicemesh.io", "dapr.io"),
    "the network": (
        "cilium.io", "projectcalico.org", "antrea.io", "ovn.org", "cncf.io", "multus-cni.io",
        "submariner.io",
    ),
    "admission policies": (
        "kyverno.io", "gatekeeper.sh", "openpolicyagent.org", "sigstore.dev", "kubewarden.io",
        "cert-manager.io", "securesystemsengineering.connaisseur",
    ),
    "the cluster's distribution": ("openshift.io", "cattle.io", "rancher.io", "clastix.io"),
    "a cloud's identities": (
        "amazonaws.com", "cloud.google.com", "gke.io", "azure.com", "azure.workload.identity",
    ),
    "secrets": ("external-secrets.io", "hashicorp.com"),
    "what runs": ("keda.sh", "fairwinds.com", "downscaler", "chaos-mesh.org", "karpenter.sh"),
    "backups": ("velero.io", "kasten.io"),
    "who deploys": ("pulumi.com", "fluxcd.io", "argoproj.io", "helm.sh", "crossplane.io"),
}  # fmt: skip
_DOMAINS = {domain: what for what, domains in _STEERING.items() for domain in domains}
_KEYS = {
    TEAM_LABEL: "the platform's policies",
    HOSTS_ANNOTATION: "the platform's policies",
    # Selectors used it before Kubernetes had its own label for this.
    "name": "network policies",
    "control-plane": "admission policies",
    "aadpodidbinding": "a cloud's identities",
}
_MESH_PREFIX = "istio"  # istio-injection, istio-discovery, ...
# Kubernetes' own, for people to read.
_HARMLESS = {"app.kubernetes.io/component", "kubernetes.io/description"}


def _check_choosable(key: str) -> None:
    """Raise ValueError for a key of a Namespace that controls something."""
    if what := steered(key):
        raise ValueError(f"'{key}' controls {what} and cannot be set here; remove it")


def steered(key: str) -> str | None:
    """What the key of a Namespace's label or annotation controls; None if teams may choose it."""
    if key in _HARMLESS:
        return None
    domain, slash, _ = key.rpartition("/")
    if not slash:
        return "the mesh" if key.startswith(_MESH_PREFIX) else _KEYS.get(key)
    parts = domain.split(".")
    owners = (".".join(parts[start:]) for start in range(len(parts)))
    return _KEYS.get(key) or next((_DOMAINS[each] for each in owners if each in _DOMAINS), None)


# The key of a label on a Namespace, and of an annotation.
ChosenLabel = Annotated[LabelKey, checked(_check_choosable)]
ChosenAnnotation = Annotated[
    str,
    matching(_KEY, "is not the key of an annotation; write one such as example.com/on-call"),
    checked(_check_choosable),
]


def _check_free(key: str) -> None:
    """Raise ValueError for the key of a label that the program sets on an app's objects."""
    if key.startswith(("app.kubernetes.io/", "sre.io/")):
        raise ValueError(f"'{key}' is set by the program; remove it")


# The key of a label that is added to an app's objects.
AddedLabel = Annotated[LabelKey, checked(_check_free)]

# The key of a namespace's label or annotation, or all keys of a domain with this beginning.
KeyPattern = Annotated[
    str,
    matching(
        rf"({_DOMAIN})?{_NAME}|{_DOMAIN}([A-Za-z0-9][A-Za-z0-9._-]*)?\*",
        "is not a key; write one such as example.com/cost-center, or example.com/* for all of a "
        "domain",
    ),
    checked(_check_choosable),
]
