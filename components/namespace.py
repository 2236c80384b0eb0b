"""The team's Namespace."""

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.guardrails.exceptions import pod_security_level, restored
from components.guardrails.policy import register
from components.metadata import team_labels
from specs.labels import HOSTS_ANNOTATION
from specs.settings import Settings
from specs.team import Team


def namespace(team: Team, settings: Settings, parent: pulumi.Resource) -> Namespace:
    """`<team>`, with Istio's sidecar injection; protected, because it holds all of the team."""
    level = pod_security_level(team, settings)
    policies = list[pulumi.Resource]()
    if level != settings.kubernetes.pod_security:
        policy_opts = pulumi.ResourceOptions(parent=parent)
        policies.append(register(restored(team), settings, policy_opts))
    pod_security = {"pod-security.kubernetes.io/enforce": level} if level else {}
    hosts = {HOSTS_ANNOTATION: ",".join(team.hosts)} if team.hosts else {}
    stack, own = settings.namespace, team.namespace
    annotations = {**stack.annotations, **own.annotations, **hosts}
    return Namespace(
        team.name,
        metadata=ObjectMetaArgs(
            name=team.name,
            labels={
                **stack.every_label,
                **own.labels,
                **team_labels(team),
                "istio-injection": "enabled",
                **pod_security,
            },
            annotations=annotations or None,
        ),
        opts=pulumi.ResourceOptions(
            parent=parent, protect=not team.offboarding, depends_on=policies
        ),
    )
