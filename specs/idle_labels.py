"""Labels and annotations that do not matter when an object changes hands."""

_APPLIERS = (
    "kubectl.kubernetes.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/",
    "toolkit.fluxcd.io/", "reconcile.fluxcd.io/", "meta.helm.sh/", "helm.sh/",
    "config.kubernetes.io/", "deployment.kubernetes.io/", "pulumi.com/",
)  # fmt: skip
_DESCRIBING = {
    f"app.kubernetes.io/{what}" for what in ("name", "instance", "version", "managed-by", "part-of")
}
_SET_BY_KUBERNETES = {"kubernetes.io/metadata.name"}


def is_idle_label(key: str) -> bool:
    """Whether a label or annotation only says who applied the object, or what it belongs to."""
    return key.startswith(_APPLIERS) or key in _DESCRIBING | _SET_BY_KUBERNETES
