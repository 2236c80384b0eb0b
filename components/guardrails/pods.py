"""What a team's pods run, and where."""

import re

from components.guardrails.policy import Policy, PolicyRule
from specs.settings import Settings


def _pod(holder: str) -> str:
    """CEL for the spec of the pods that `holder` is or creates."""
    return f"""\
(
  request.kind.kind == 'Pod' ? {holder}.spec
  : request.kind.kind == 'CronJob' ? {holder}.spec.jobTemplate.spec.template.spec
  : {holder}.spec.template.spec
)"""


_PODS_CHANGE = {
    "pods-change": f"request.operation == 'CREATE' || {_pod('object')} != {_pod('oldObject')}"
}

_IMAGES = """\
(
  variables.pod.?containers.orValue([])
  + variables.pod.?initContainers.orValue([])
  + variables.pod.?ephemeralContainers.orValue([])
).map(container, container.?image.orValue(''))
+ variables.pod.?volumes.orValue([])
  .filter(volume, has(volume.image))
  .map(volume, volume.image.?reference.orValue(''))"""

_VERSIONS = """\
variables.images.all(image,
  image.contains('@') || image.matches(':[^/]+$') && !image.matches('(?i):latest$')
)"""

# The rest of a reference after its project (OCI distribution), so that no `..` leads out of it.
_REFERENCE = r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?$"

MAKE_PODS = {
    "": ["pods", "pods/ephemeralcontainers", "replicationcontrollers"],
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets"],
    "batch": ["jobs", "cronjobs"],
}


def images(settings: Settings) -> Policy:
    """Pods run images of the team's own project and of shared ones, at a fixed version.

    A sidecar is in its pod before policies see it, so any pod may run the sidecar's image.
    """
    host, shared = settings.harbor.host, settings.harbor.shared_projects
    projects = " or ".join(f"{host}/{name}/" for name in ("<team>", *shared))
    sidecars = " || ".join(
        f"image.startsWith('{repository}{version}')"
        for repository in settings.istio.proxy_images
        for version in ":@"
    )
    others = "".join(f"|{name}" for name in shared)
    return Policy(
        "sre-images",
        resources=MAKE_PODS,
        conditions=_PODS_CHANGE,
        variables={
            "pod": _pod("object"),
            "images": _IMAGES,
            "allowed": f"r'^{re.escape(host)}/(' + request.namespace + r'{others}){_REFERENCE}'",
        },
        rules=[
            PolicyRule(
                f"""\
variables.images.all(image,
  image.matches(variables.allowed)
  || request.kind.kind == 'Pod' && ({sidecars})
)""",
                f"images must come from {projects}; push it there and set "
                "apps[].app.image.repository in the team's file",
            ),
            PolicyRule(
                _VERSIONS,
                "images must be pinned to a version other than latest, or to a digest; set "
                "apps[].app.image.tag in the team's file",
            ),
        ],
    )


# A running pod has the node to which the scheduler bound it.
_UNBOUND = """\
!has(variables.pod.nodeName) || request.kind.kind == 'Pod' && request.operation == 'UPDATE'"""

# The prefix of labels and taints that Kubernetes itself adds to pods.
_TOLERATIONS = """\
variables.pod.?tolerations.orValue([]).all(toleration,
  toleration.?key.orValue('').startsWith('node.kubernetes.io/')
)"""


def scheduling() -> Policy:
    """Pods have none of the cluster's priority classes, and run where the scheduler puts them."""
    return Policy(
        "sre-scheduling",
        resources=MAKE_PODS,
        conditions=_PODS_CHANGE,
        variables={"pod": _pod("object")},
        rules=[
            PolicyRule(
                "!variables.pod.?priorityClassName.orValue('').startsWith('system-')",
                "the priority classes system-* are reserved for the cluster; remove "
                "priorityClassName",
            ),
            PolicyRule(_UNBOUND, "the scheduler chooses the node; remove nodeName"),
            PolicyRule(
                _TOLERATIONS,
                "tainted nodes are reserved; remove tolerations except those of "
                "node.kubernetes.io/, or ask the platform team",
            ),
        ],
    )
