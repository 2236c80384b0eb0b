"""What RBAC cannot hold in the teams' namespaces: ValidatingAdmissionPolicies, in CEL.

NIST 800-53 AC-3, AC-4, CM-7. The platform passes them all: whoever may change the Namespace itself.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import (
    MatchConditionArgs,
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpecArgs,
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)
from pulumi_kubernetes.meta.v1 import (
    LabelSelectorArgs,
    LabelSelectorRequirementArgs,
    ObjectMetaArgs,
)

from components.metadata import HOSTS_ANNOTATION, PLATFORM_LABELS, TEAM_LABEL
from specs.settings import SECRET_STORE, Settings

_ACTIONS = {"deny": ["Deny"], "audit": ["Audit", "Warn"]}

# Each is a question to the API server's authorizers. The garbage collector and the controller that
# empties a deleted namespace may `delete`; server-side apply, as Pulumi does it, needs `patch`.
# Three conditions and not one: an expression can pay for two such questions.
_NOT_THE_PLATFORM = {
    f"may-not-{verb}-the-namespace": f"""\
!authorizer.group('').resource('namespaces')
  .namespace(request.namespace).name(request.namespace)
  .check('{verb}').allowed()"""
    for verb in ("update", "patch", "delete")
}


@dataclass(frozen=True)
class _Rule:
    """`holds` (CEL) is true of what is admitted; `message` says what to do where it is not."""

    holds: str
    message: str


@dataclass(frozen=True)
class _Policy:
    """One ValidatingAdmissionPolicy, bound to the namespaces of all teams.

    `resources`: plurals by API group. `conditions`: CEL by name; requests for which one is false
    are passed over. `variables`: CEL by name, for the rules. A team's name is its namespace's.
    """

    name: str
    resources: Mapping[str, Sequence[str]]
    rules: Sequence[_Rule]
    operations: Sequence[str] = ("CREATE", "UPDATE")
    conditions: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def guardrails(settings: Settings, parent: pulumi.Resource) -> None:
    """The policies and their bindings, each pair by one name."""
    opts = pulumi.ResourceOptions(parent=parent)
    for policy in _policies(settings):
        labels = {"app.kubernetes.io/name": policy.name, **PLATFORM_LABELS}
        metadata = ObjectMetaArgs(name=policy.name, labels=labels)
        made = ValidatingAdmissionPolicy(
            policy.name, metadata=metadata, spec=_policy_spec(policy), opts=opts
        )
        ValidatingAdmissionPolicyBinding(
            policy.name,
            metadata=metadata,
            spec=_binding_spec(made.metadata["name"], settings),
            opts=opts,
        )


def _policies(settings: Settings) -> list[_Policy]:
    return [
        _platform_only(settings),
        _secrets(),
        _images(settings),
        _scheduling(),
        _labels(),
        _services(),
        _hosts(settings),
    ]


def _policy_spec(policy: _Policy) -> ValidatingAdmissionPolicySpecArgs:
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=MatchResourcesArgs(
            resource_rules=[
                NamedRuleWithOperationsArgs(
                    api_groups=[group],
                    # A version that a later release serves must not be a way around.
                    api_versions=["*"],
                    resources=list(resources),
                    operations=list(policy.operations),
                    # A namespaceSelector does not keep cluster-scoped objects away.
                    scope="Namespaced",
                )
                for group, resources in policy.resources.items()
            ]
        ),
        match_conditions=[
            MatchConditionArgs(name=name, expression=expression)
            for name, expression in {**policy.conditions, **_NOT_THE_PLATFORM}.items()
        ],
        variables=[
            VariableArgs(name=name, expression=expression)
            for name, expression in policy.variables.items()
        ]
        or None,
        validations=[
            ValidationArgs(expression=rule.holds, message=rule.message, reason="Forbidden")
            for rule in policy.rules
        ],
    )


def _binding_spec(
    policy: pulumi.Input[str], settings: Settings
) -> ValidatingAdmissionPolicyBindingSpecArgs:
    teams = LabelSelectorRequirementArgs(key=TEAM_LABEL, operator="Exists")
    return ValidatingAdmissionPolicyBindingSpecArgs(
        policy_name=policy,
        validation_actions=_ACTIONS[settings.guardrails],
        match_resources=MatchResourcesArgs(
            namespace_selector=LabelSelectorArgs(match_expressions=[teams])
        ),
    )


# What was there before a policy stays and can be taken away: controllers go on changing its
# metadata (finalizers) and scaling it.
_SPEC_CHANGES = {"spec-changes": "request.operation == 'CREATE' || object.?spec != oldObject.?spec"}


# --- sre-platform-only ---------------------------------------------------------------------------

_PLATFORM_ONLY = {
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
    # bearerTokenFile, show its own token there.
    "monitoring.coreos.com": (
        ["servicemonitors", "podmonitors", "probes", "scrapeconfigs"],
        "what is scraped is set in the team's file: apps[].serviceMonitor",
    ),
}


def _platform_only(settings: Settings) -> _Policy:
    """Kinds that reach beyond the namespace, or undo what the platform made in it."""
    operator = settings.external_secrets
    account = f"system:serviceaccount:{operator.namespace}:{operator.service_account}"
    return _Policy(
        "sre-platform-only",
        resources={group: resources for group, (resources, _) in _PLATFORM_ONLY.items()},
        # One a group and false for it, so that each has a message of its own.
        rules=[
            _Rule(f"request.resource.group != '{group}'", f"made by the platform only: {instead}")
            for group, (_, instead) in _PLATFORM_ONLY.items()
        ],
        operations=("CREATE", "UPDATE", "DELETE"),
        # It keeps finalizers on stores and the state of generators.
        conditions={"not-external-secrets": f"request.userInfo.username != '{account}'"},
    )


# --- sre-secrets ---------------------------------------------------------------------------------

_STORE = f"object.spec.?secretStoreRef.?name.orValue('') == '{SECRET_STORE}'"

# `find` searches the whole store, `sourceRef` names another store or a generator.
_ONE_BY_ONE = """\
object.spec.?data.orValue([]).all(entry, !has(entry.sourceRef))
&& object.spec.?dataFrom.orValue([]).all(entry, has(entry.extract) && !has(entry.sourceRef))"""

# Strict, as a client would take `..` or `%2e%2e` for the way to another team's path.
_KEYS = """\
(
  object.spec.?data.orValue([]).map(entry, entry.remoteRef.key)
  + object.spec.?dataFrom.orValue([]).map(entry, entry.?extract.?key.orValue(''))
).all(key, key.matches('^sre/' + request.namespace + '(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$'))"""

# The operator would make the object with its own rights.
_TARGET = "!has(object.spec.target) || !has(object.spec.target.manifest)"


def _secrets() -> _Policy:
    """A team's ExternalSecrets read what is below `sre/<team>/`."""
    return _Policy(
        "sre-secrets",
        resources={"external-secrets.io": ["externalsecrets"]},
        conditions=_SPEC_CHANGES,
        rules=[
            _Rule(_STORE, f"secretStoreRef must name the platform's store, {SECRET_STORE}"),
            _Rule(
                _ONE_BY_ONE,
                "name each secret by data[].remoteRef or dataFrom[].extract; find and sourceRef "
                "are not allowed",
            ),
            _Rule(
                _KEYS,
                "a team's secrets are at sre/<team>/<name>; store it there and name it by "
                "apps[].app.env[].secretRef in the team's file",
            ),
            _Rule(_TARGET, "an ExternalSecret makes a Secret; remove target.manifest"),
        ],
    )


# --- sre-images ----------------------------------------------------------------------------------


def _pod(holder: str) -> str:
    """CEL for the spec of the pods that `holder` is or makes."""
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

_MAKE_PODS = {
    "": ["pods", "pods/ephemeralcontainers", "replicationcontrollers"],
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets"],
    "batch": ["jobs", "cronjobs"],
}


def _images(settings: Settings) -> _Policy:
    """Pods run images of the team's own project and of shared ones, at a fixed version.

    A sidecar is in its pod before policies see it, so that any pod may run the sidecar's image.
    """
    host, shared = settings.harbor.host, settings.harbor.shared_projects
    projects = " or ".join(f"{host}/{name}/" for name in ("<team>", *shared))
    others = "".join(f"|{name}" for name in shared)
    return _Policy(
        "sre-images",
        resources=_MAKE_PODS,
        conditions=_PODS_CHANGE,
        variables={
            "pod": _pod("object"),
            "images": _IMAGES,
            "allowed": f"r'^{re.escape(host)}/(' + request.namespace + r'{others}){_REFERENCE}'",
        },
        rules=[
            _Rule(
                f"""\
variables.images.all(image,
  image.matches(variables.allowed)
  || request.kind.kind == 'Pod' && image.startsWith('{settings.istio.proxy_image}:')
)""",
                f"images come from {projects}; push it there and write it in the team's file: "
                "apps[].app.image.repository",
            ),
            _Rule(
                _VERSIONS,
                "images are pinned to a version other than latest, or to a digest; write it in the "
                "team's file: apps[].app.image.tag",
            ),
        ],
    )


# --- sre-scheduling ------------------------------------------------------------------------------

# A pod that runs has the node that the scheduler has bound it to.
_UNBOUND = """\
!has(variables.pod.nodeName) || request.kind.kind == 'Pod' && request.operation == 'UPDATE'"""

# The prefix of what Kubernetes itself adds to pods.
_TOLERATIONS = """\
variables.pod.?tolerations.orValue([]).all(toleration,
  toleration.?key.orValue('').startsWith('node.kubernetes.io/')
)"""


def _scheduling() -> _Policy:
    """Pods have none of the cluster's own priority, and go where the scheduler sends them."""
    return _Policy(
        "sre-scheduling",
        resources=_MAKE_PODS,
        conditions=_PODS_CHANGE,
        variables={"pod": _pod("object")},
        rules=[
            _Rule(
                "!variables.pod.?priorityClassName.orValue('').startsWith('system-')",
                "the priority classes system-* are the cluster's own; remove priorityClassName",
            ),
            _Rule(_UNBOUND, "the scheduler chooses the node; remove nodeName"),
            _Rule(
                _TOLERATIONS,
                "nodes with a taint are for others; remove tolerations but those of "
                "node.kubernetes.io/, or ask the platform team",
            ),
        ],
    )


# --- sre-labels ----------------------------------------------------------------------------------


def _teams(holder: str) -> str:
    """CEL for the teams that `holder` and the pods it makes are labelled with."""
    label = f".?metadata.?labels[?'{TEAM_LABEL}']"
    return f"""\
(
  [?{holder}{label}] + (request.resource.group in {_literal(_MAKE_PODS)} ? [
    ?{holder}.?spec.?template{label},
    ?{holder}.?spec.?jobTemplate{label},
    ?{holder}.?spec.?jobTemplate.?spec.?template{label}
  ] : [])
)"""


def _labels() -> _Policy:
    """Nothing of a team carries another team's label, which network rules may select."""
    return _Policy(
        "sre-labels",
        resources={"*": ["*"]},
        conditions={
            "labels-change": "request.operation == 'CREATE' || "
            f"{_teams('object')} != {_teams('oldObject')}"
        },
        rules=[
            _Rule(
                f"{_teams('object')}.all(team, team == request.namespace)",
                f"the label {TEAM_LABEL} is the namespace's own team's; correct it or leave it out",
            )
        ],
    )


# --- sre-services --------------------------------------------------------------------------------


def _services() -> _Policy:
    """Traffic reaches a team through the gateway only, and its own names stay its own pods'."""
    return _Policy(
        "sre-services",
        resources={"": ["services"]},
        conditions=_SPEC_CHANGES,
        rules=[
            _Rule(
                # An ExternalName would be a way through the gateway to another team's Service.
                "object.spec.type == 'ClusterIP'",
                "Services are of type ClusterIP; an app is reached from outside by apps[].ingress "
                "in the team's file",
            ),
            _Rule(
                # Traffic for that address, whoever's it is, would come here (CVE-2020-8554).
                "object.spec.?externalIPs.orValue([]).size() == 0",
                "externalIPs are not allowed; an app is reached from outside by apps[].ingress in "
                "the team's file",
            ),
        ],
    )


# --- sre-hosts -----------------------------------------------------------------------------------

_ROUTES = """\
object.spec.?http.orValue([])
+ object.spec.?tls.orValue([])
+ object.spec.?tcp.orValue([])"""

_HOSTS = """\
object.spec.?hosts.orValue([]).all(host,
  host in variables.hosts || host.matches(variables.ownService)
)"""

# The gateway may reach every pod of every team: it must not carry one team's traffic to another.
_DESTINATIONS = """\
variables.routes.all(route,
  (
    route.?route.orValue([]).map(each, each.destination)
    + route.?mirrors.orValue([]).map(each, each.destination)
    + [?route.?mirror]
  ).all(to, to.host.matches(variables.ownService))
  && route.?delegate.?namespace.orValue(request.namespace) == request.namespace
)"""


def _hosts(settings: Settings) -> _Policy:
    """A team's VirtualServices are for its own hosts, and lead to its own Services."""
    return _Policy(
        "sre-hosts",
        resources={"networking.istio.io": ["virtualservices"]},
        conditions=_SPEC_CHANGES,
        variables={
            "hosts": f"""\
namespaceObject.metadata.?annotations[?'{HOSTS_ANNOTATION}']
  .optMap(hosts, hosts.split(',')).orValue([])""",
            # Without the suffix a team called `com` would own example.com.
            "ownService": (
                r"r'^[a-z0-9-]+(\.' + request.namespace + r'\.svc(\.cluster\.local)?)?$'"
            ),
            "routes": _ROUTES,
        },
        rules=[
            _Rule(
                _HOSTS, "hosts are those of the team's file; write it there: apps[].ingress.host"
            ),
            _Rule(
                f"object.spec.?gateways.orValue([]).all(gateway,\n"
                f"  gateway in {_literal(['mesh', *settings.istio.gateways])}\n)",
                "gateways are those of the platform; write it in the team's file: "
                "apps[].ingress.gateway",
            ),
            _Rule(
                _DESTINATIONS,
                "traffic goes to Services of the team's own namespace; name one without its "
                "namespace, or as <service>.<team>.svc.cluster.local",
            ),
        ],
    )


def _literal(texts: Iterable[str]) -> str:
    """A CEL list of strings; JSON's is one."""
    return json.dumps(list(texts))
