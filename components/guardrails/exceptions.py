"""What Pod Security `restricted` says, where an exception needs a lower level for the namespace."""

import json

from components.guardrails.policy import Policy, PolicyRule, literal
from components.metadata import NAME
from specs.exceptions import NET_BIND_SERVICE, RESTORING
from specs.settings import Settings
from specs.team import Team

_RESTRICTED, _BASELINE = "restricted", "baseline"

# Volumes of other kinds could be a node's, or lead out of the cluster.
_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
_PROFILES = literal(("RuntimeDefault", "Localhost"))

_CONTAINERS = """\
object.spec.containers
+ object.spec.?initContainers.orValue([])
+ object.spec.?ephemeralContainers.orValue([])"""

_NOT_ROOT = """\
object.spec.?securityContext.?runAsNonRoot.orValue(true)
&& variables.containers.all(container,
  container.?securityContext.?runAsNonRoot.orValue(
    object.spec.?securityContext.?runAsNonRoot.orValue(false)
  )
)
&& object.spec.?securityContext.?runAsUser.orValue(1) != 0
&& variables.containers.all(container,
  container.?securityContext.?runAsUser.orValue(1) != 0
)"""

_SECCOMP = f"""\
object.spec.?securityContext.?seccompProfile.?type.orValue('RuntimeDefault') in {_PROFILES}
&& variables.containers.all(container,
  container.?securityContext.?seccompProfile.?type.orValue(
    object.spec.?securityContext.?seccompProfile.?type.orValue('')
  ) in {_PROFILES}
)"""

# The capabilities of an app are for its own container, which has its name.
_CAPABILITIES = f"""\
variables.containers.all(container,
  'ALL' in container.?securityContext.?capabilities.?drop.orValue([])
  && container.?securityContext.?capabilities.?add.orValue([]).all(capability,
    capability == '{NET_BIND_SERVICE}'
    || container.name == variables.app && capability in variables.excepted
  )
)"""


def pod_security_level(team: Team, settings: Settings) -> str | None:
    """The level that the team's namespace enforces: the stack's, or `baseline` with `restored`."""
    level = settings.kubernetes.pod_security
    return _BASELINE if level == _RESTRICTED and beyond_restricted(team) else level


def beyond_restricted(team: Team) -> dict[str, list[str]]:
    """By app: capabilities that `restricted` lets nobody in the namespace add."""
    added = {app.name: sorted({*app.capabilities} - {NET_BIND_SERVICE}) for app in team.deployed}
    return {app: capabilities for app, capabilities in sorted(added.items()) if capabilities}


def restored(team: Team) -> Policy:
    """All of `restricted` but the named capabilities of the named apps (Kubernetes 1.36)."""
    excepted = json.dumps(beyond_restricted(team))
    kinds = " || ".join(f"has(volume.{kind})" for kind in _VOLUMES)
    return Policy(
        team.name + RESTORING,
        only=team,
        resources={"": ["pods", "pods/ephemeralcontainers"]},
        conditions={
            "pods-change": "request.operation == 'CREATE' || object.spec != oldObject.spec"
        },
        variables={
            "containers": _CONTAINERS,
            "app": f"object.metadata.?labels[?'{NAME}'].orValue('')",
            "excepted": f"{excepted}[?variables.app].orValue([])",
        },
        rules=[
            PolicyRule(
                _CAPABILITIES,
                "containers drop ALL capabilities and add none without an exception of their app; "
                "set apps[].exceptions in the team's file",
            ),
            PolicyRule(
                _NOT_ROOT, "pods must not run as root; set runAsNonRoot, or remove runAsUser"
            ),
            PolicyRule(
                "variables.containers.all(container,\n"
                "  !container.?securityContext.?allowPrivilegeEscalation.orValue(true)\n)",
                "containers must not gain privileges; remove allowPrivilegeEscalation or set it to "
                "false",
            ),
            PolicyRule(_SECCOMP, "pods need a seccomp profile; remove another than RuntimeDefault"),
            PolicyRule(
                f"object.spec.?volumes.orValue([]).all(volume,\n  {kinds}\n)",
                "volumes of this kind are not allowed; remove them, or ask the platform team",
            ),
            PolicyRule(
                "variables.containers.all(container,\n"
                "  container.?securityContext.?procMount.orValue('Default') == 'Default'\n)",
                "/proc must stay masked; remove procMount",
            ),
        ],
    )
