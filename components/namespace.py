"""The team's Namespace."""

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.metadata import HOSTS_ANNOTATION, team_labels
from specs.app import WebApp
from specs.settings import Settings
from specs.team import Team


def namespace(team: Team, settings: Settings, parent: pulumi.Resource) -> Namespace:
    """`<team>`, with Istio's sidecar injection; protected, as it holds everything the team has."""
    level = settings.kubernetes.pod_security
    pod_security = {"pod-security.kubernetes.io/enforce": level} if level else {}
    hosts = sorted(
        app.ingress.host
        for app in team.deployed
        if isinstance(app, WebApp) and app.ingress.enabled and app.ingress.host
    )
    return Namespace(
        team.name,
        metadata=ObjectMetaArgs(
            name=team.name,
            labels={**team_labels(team), "istio-injection": "enabled", **pod_security},
            annotations={HOSTS_ANNOTATION: ",".join(hosts)} if hosts else None,
        ),
        opts=pulumi.ResourceOptions(parent=parent, protect=not team.offboarding),
    )
