"""Names, labels and places of Kubernetes objects: written once for everything the program makes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from specs.app import BaseApp
from specs.team import Team

Labels = dict[str, str]

# What tells an app's pods, and those of one of its instances, from others.
NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"

# On a Namespace, what makes it a team's.
TEAM_LABEL = "sre.io/team"
# On a team's Namespace: the hosts of the team's file, joined by commas.
HOSTS_ANNOTATION = "sre.io/hosts"

# Labels of everything this program makes in a cluster.
PLATFORM_LABELS = {
    "app.kubernetes.io/managed-by": "pulumi",
    "app.kubernetes.io/part-of": "sre-platform",
}


@dataclass(frozen=True)
class Place:
    """Where a team's namespaced objects go.

    `namespace` carries the dependency on the Namespace; `options` say the objects' parent, and that
    they go with the namespace when it is deleted.
    """

    team: str
    namespace: pulumi.Output[str]
    options: pulumi.ResourceOptions

    def name(self, name: str) -> str:
        """The logical name of an object; team and name cannot run into each other."""
        return f"{self.team}/{name}"

    def with_options(
        self,
        depends_on: Sequence[pulumi.Resource] = (),
        aliases: Sequence[pulumi.Alias] = (),
    ) -> pulumi.ResourceOptions:
        """The place's options and more."""
        return pulumi.ResourceOptions.merge(
            self.options,
            pulumi.ResourceOptions(depends_on=list(depends_on), aliases=list(aliases)),
        )

    def under(self, parent: pulumi.Resource) -> "Place":
        """The same place for objects of another component."""
        options = pulumi.ResourceOptions.merge(self.options, pulumi.ResourceOptions(parent=parent))
        return Place(self.team, self.namespace, options)


def platform_labels(name: str) -> Labels:
    """Labels of what belongs to no team."""
    return {NAME: name, **PLATFORM_LABELS}


def team_labels(team: Team) -> Labels:
    """Labels of what belongs to the team as a whole."""
    return {NAME: team.name, TEAM_LABEL: team.name, **PLATFORM_LABELS}


def app_selector(app: BaseApp) -> Labels:
    """What tells an app's pods from others; it never changes, as a Deployment's selector cannot."""
    return {NAME: app.name, INSTANCE: app.name}


def app_labels(team: Team, app: BaseApp) -> Labels:
    """Labels of an app's objects; the same in every version of the app."""
    return {**app_selector(app), TEAM_LABEL: team.name, **PLATFORM_LABELS}


def workload_labels(team: Team, app: BaseApp) -> Labels:
    """Labels of the Deployment or CronJob and of its pods, which alone change with a release."""
    version = {"app.kubernetes.io/version": _label_value(app.app.image.tag)}
    return {**app_labels(team, app), **version}


def object_meta(
    place: Place, name: str, labels: Labels, annotations: Mapping[str, str] | None = None
) -> ObjectMetaArgs:
    """Name, namespace, labels and annotations of a namespaced object."""
    return ObjectMetaArgs(
        name=name, namespace=place.namespace, labels=labels, annotations=annotations
    )


def select(labels: Labels) -> LabelSelectorArgs:
    """A selector of exactly these labels."""
    return LabelSelectorArgs(match_labels=labels)


def _label_value(tag: str) -> str:
    """A tag may be longer than a label's value (63) and begin or end with other characters."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", tag[:63])
