"""Names, labels and places of Kubernetes objects, for everything that the program creates."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from specs.app import BaseApp
from specs.labels import INSTANCE, NAME, TEAM_LABEL
from specs.team import Team

Labels = dict[str, str]

# Labels of everything that this program creates in a cluster.
PLATFORM_LABELS = {
    "app.kubernetes.io/managed-by": "pulumi",
    "app.kubernetes.io/part-of": "sre-platform",
}


@dataclass(frozen=True)
class Place:
    """Where a team's namespaced objects go.

    `namespace` carries the dependency on the Namespace; `options` set the objects' parent, and that
    they are deleted with the namespace.
    """

    team: str
    namespace: pulumi.Output[str]
    options: pulumi.ResourceOptions

    def name(self, name: str) -> str:
        """The logical name of an object; names of different teams cannot collide."""
        return f"{self.team}/{name}"

    def with_options(
        self,
        depends_on: Sequence[pulumi.Resource] = (),
        aliases: Sequence[pulumi.Alias] = (),
    ) -> pulumi.ResourceOptions:
        """The place's options with additions."""
        return pulumi.ResourceOptions.merge(
            self.options,
            pulumi.ResourceOptions(depends_on=list(depends_on), aliases=list(aliases)),
        )

    def under(self, parent: pulumi.Resource) -> "Place":
        """The same place for the objects of another component."""
        options = pulumi.ResourceOptions.merge(self.options, pulumi.ResourceOptions(parent=parent))
        return Place(self.team, self.namespace, options)


def platform_labels(name: str) -> Labels:
    """Labels of what belongs to no team."""
    return {NAME: name, **PLATFORM_LABELS}


def team_labels(team: Team) -> Labels:
    """Labels of objects that belong to the team as a whole."""
    return {NAME: team.name, TEAM_LABEL: team.name, **PLATFORM_LABELS}


def app_selector(app: BaseApp) -> Labels:
    """Selects an app's pods; it never changes, because a Deployment's selector cannot."""
    return selector_of(app.name)


def selector_of(app: str) -> Labels:
    """The same for the name of an app, of any team."""
    return {NAME: app, INSTANCE: app}


def app_labels(team: Team, app: BaseApp) -> Labels:
    """Labels of an app's objects; the same in every version of the app."""
    return {**app_selector(app), TEAM_LABEL: team.name, **PLATFORM_LABELS}


def workload_labels(team: Team, app: BaseApp) -> Labels:
    """Labels of the Deployment or CronJob and its pods: the only ones that a release changes."""
    version = {"app.kubernetes.io/version": _label_value(app.app.image.tag)}
    return {**app_labels(team, app), **version}


def object_meta(
    place: Place, name: str, labels: Labels, annotations: Mapping[str, str] | None = None
) -> ObjectMetaArgs:
    """Name, namespace, labels and annotations of a namespaced object."""
    return ObjectMetaArgs(
        name=name, namespace=place.namespace, labels=labels, annotations=annotations
    )


def _label_value(tag: str) -> str:
    """A tag may be longer than a label's value (63), and begin or end with other characters."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", tag[:63])
