"""A team's resources: namespace, quota, network, access, registry project and secrets."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi

from components import (
    authorization,
    dashboards,
    external_secrets,
    monitoring,
    network,
    openbao_access,
    quota,
    rbac,
    registry,
    volumes,
)
from components.metadata import Place, team_labels
from components.namespace import namespace
from components.shared import Shared
from specs.app import BaseApp
from specs.secret_use import secret_keys
from specs.settings import Settings
from specs.team import Team


class Tenant(pulumi.ComponentResource):
    """`sre:platform:Tenant`: everything a team has before its first app (guide: Prerequisites).

    `place`: where its namespaced objects go; None if the stack manages no cluster. `guardrails`:
    what must exist before a workload starts: quota, limits, and policies of network and mesh.

    `claims`: volumes that the team still has, though its file does not name them.

    `namespace`, `registry` (where its images are) and `openbao` (where its secrets are).
    """

    def __init__(
        self,
        team: Team,
        settings: Settings,
        shared: Shared,
        opts: pulumi.ResourceOptions | None = None,
        claims: Sequence[str] = (),
    ) -> None:
        super().__init__("sre:platform:Tenant", team.name, {}, opts)
        self.team = team
        self.shared = shared
        self.namespace = pulumi.Output.from_input(team.name)
        self.registry = pulumi.Output.concat(settings.harbor.host, "/", team.name)
        self.openbao = pulumi.Output.concat(shared.kv_mount, "/", team.name)
        self.place: Place | None = None
        self.guardrails: list[pulumi.Resource] = []
        self._pull_secrets: list[pulumi.Resource] = []
        self._role: pulumi.Input[str] = team.name  # in OpenBao
        self._secrets: dict[str, pulumi.Resource] = {}
        self._claims: dict[str, pulumi.Resource] = {}
        stored: list[pulumi.Resource] = []
        if settings.manage.harbor:
            project, robots = registry.harbor_project(team, settings, self)
            self.registry = pulumi.Output.concat(settings.harbor.host, "/", project.name)
            if settings.manage.openbao:
                stored += openbao_access.store_credentials(team, robots, settings, shared, self)
        if settings.manage.openbao and not team.offboarding:
            self._role = openbao_access.team_access(team, settings, shared, self)
        if settings.manage.kubernetes:
            self.place = self._objects(settings, stored)
            for claim in claims:
                volumes.kept_claim(team, claim, self.place)
            self.namespace = self.place.namespace
        self.register_outputs(
            {"namespace": self.namespace, "registry": self.registry, "openbao": self.openbao}
        )

    def _objects(self, settings: Settings, credentials: Sequence[pulumi.Resource]) -> Place:
        made = namespace(self.team, settings, self)
        place = Place(
            self.team.name,
            made.metadata["name"],
            pulumi.ResourceOptions(parent=self, deleted_with=made),
        )
        self.guardrails = [
            quota.resource_quota(self.team, place),
            quota.limit_range(self.team, place),
            *network.tenant_policies(self.team, place, settings),
            *authorization.tenant_policies(self.team, place, settings),
        ]
        self._claims = {
            app.claim(volume): volumes.claim(self.team, app, volume, place, self.guardrails[0])
            for app in self.team.apps
            for volume in app.app.volumes
        }
        if not self.team.offboarding:
            self._access(place, settings, credentials)
            monitoring.team_alerts(self.team, place, settings)
            dashboards.team_dashboard(self.team, place, settings)
        return place

    def _access(
        self, place: Place, settings: Settings, credentials: Sequence[pulumi.Resource]
    ) -> None:
        """What people may do in the namespace, and the secrets that it gets."""
        rbac.role_bindings(self.team, place, settings)
        labels = team_labels(self.team)
        if settings.external_secrets.secret_store == "tenant":
            store = external_secrets.tenant_secret_store(
                place, labels, self.shared, self._role, settings
            )
            self.shared = replace(self.shared, secret_store=store)
        if settings.harbor.image_pull_secret:
            self._pull_secrets = [
                external_secrets.pull_secret(place, labels, self.shared, settings, credentials)
            ]
        used = secret_keys(app.app for app in self.team.apps)
        self._secrets = {
            name: external_secrets.app_secret(place, name, keys, labels, self.shared, settings)
            for name, keys in sorted(used.items())
        }

    def claims_of(self, app: BaseApp) -> list[pulumi.Resource]:
        """The PersistentVolumeClaims of the app's volumes, which outlive the app."""
        return [self._claims[app.claim(volume)] for volume in app.app.volumes]

    def secrets_of(self, app: BaseApp) -> list[pulumi.Resource]:
        """The ExternalSecrets that an app's pods need, to pull and for what they read.

        There is one per secret name, whoever else uses it.
        """
        return [*self._pull_secrets, *(self._secrets[name] for name in app.secret_refs)]
