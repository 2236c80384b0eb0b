"""Takes over what already runs under this stack's names (`sre-platform:adopt`).

Kubernetes objects and Harbor's robots are looked up right before they would be created, in a
preview too; objects that the other two providers can import are imported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi import ResourceHookArgs, ResourceTransformationArgs, ResourceTransformationResult

from clients.harbor import Harbor, harbor_of
from clients.http import RefusedError, UnreachableError
from clients.kubeconfig import KubeconfigError
from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao, openbao_of
from components.former import Former, find_formers
from components.handover import lacking_room, report, taken_names
from components.metadata import NAME
from components.takeover import (
    UnadoptableError,
    known,
    made_beside,
    release,
    scale,
    take_over,
)
from specs.app import AnyApp
from specs.secret_paths import secret_path
from specs.settings import Settings
from specs.team import Team

# The import ID of an existing object, given a resource's logical name; None if it does not exist.
Find = Callable[[str], str | None]

_ROBOT = "harbor:index/robotAccount:RobotAccount"
_ON = "sre-platform:adopt is on: existing objects with this stack's names are taken over."
_OFF = "Remove the setting after one `pulumi up`."
_NOT_YET = "Keep the setting while anything is held back: {}."


@dataclass
class Adoption:
    """What this run takes over.

    `formers` are the apps that run under other names, by `<team>/<app>`.
    """

    formers: Mapping[str, Former] = field(default_factory=dict)
    resources: dict[str, pulumi.Resource] = field(default_factory=dict)
    unchanged: int = 0
    managers: set[str] = field(default_factory=set)

    def held(self, team: Team, app: AnyApp) -> frozenset[str]:
        """Kinds of the app's objects that must not be created yet."""
        former = self.formers.get(f"{team.name}/{app.name}")
        return former.held if former else frozenset()

    def shares(self, type: str, name: str) -> bool:
        """Whether a release uses it too: it must stay when the app is removed from its file."""
        return type.endswith(":ExternalSecret") and any(
            name == f"{former.team.name}/{secret}"
            for former in self.formers.values()
            for secret in former.app.secret_refs
        )

    def sum_up(self) -> None:
        """One line, at the end, for all objects that are taken over without changes."""

        def say(_: Sequence[str]) -> None:
            if self.unchanged:
                objects = "1 object is" if self.unchanged == 1 else f"{self.unchanged} objects are"
                former = f", from {', '.join(sorted(self.managers))}" if self.managers else ""
                pulumi.log.info(f"{objects} taken over unchanged{former}.")

        pulumi.Output.all(*(each.urn for each in self.resources.values())).apply(say)


def adopt(settings: Settings, teams: Sequence[Team]) -> Adoption:
    """From here on, registered objects are taken over if they exist, and created if not.

    Raises pulumi.RunError if a server cannot be reached, or has something that cannot be taken
    over.
    """
    adoption = Adoption()
    finders: dict[str, Find] = {}
    bindings: dict[str, pulumi.ResourceHookBinding] = {}

    try:
        if settings.manage.kubernetes:
            cluster = Cluster(settings.kubernetes.context)
            if _exists(cluster.address):
                adoption.formers = _formers(cluster, teams, settings)
                bindings["kubernetes"] = _handover(cluster, adoption)
        if settings.manage.harbor:
            harbor = harbor_of(settings.harbor)
            if _exists(harbor.address):
                finders |= _harbor_ids(harbor, settings.harbor.group_prefix)
                bindings["harbor"] = _robots(harbor)
        if settings.manage.openbao:
            openbao = openbao_of(settings.openbao)
            if openbao and _exists(openbao.address):
                finders |= _openbao_ids(openbao)
    except KubeconfigError as error:
        raise pulumi.RunError(f"sre-platform:adopt: {error}") from None
    waiting = [name for name, former in adoption.formers.items() if former.held]
    pulumi.log.warn(f"{_ON} {_NOT_YET.format(', '.join(waiting)) if waiting else _OFF}")

    def transform(args: ResourceTransformationArgs) -> ResourceTransformationResult | None:
        package = args.type_.partition(":")[0]
        added = None
        if package == "kubernetes" or args.type_ == _ROBOT:
            adoption.resources[f"{args.type_} {args.name}"] = args.resource
            added = pulumi.ResourceOptions(
                hooks=bindings.get(package),
                retain_on_delete=True if adoption.shares(args.type_, args.name) else None,
            )
        elif find := finders.get(args.type_):
            added = pulumi.ResourceOptions(import_=_asked(find, args.name))
        if added is None:
            return None
        return ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, added)
        )

    pulumi.runtime.register_stack_transformation(transform)
    return adoption


def _formers(cluster: Cluster, teams: Sequence[Team], settings: Settings) -> dict[str, Former]:
    """Log what to do about each. Raises pulumi.RunError if one could do harm."""
    try:
        formers = find_formers(cluster, teams, settings)
        found = formers.values()
        wrong = [*taken_names(found), *lacking_room(cluster, found, settings)]
    except (RefusedError, UnreachableError) as error:
        raise pulumi.RunError(f"sre-platform:adopt: {error}") from None
    if wrong:
        raise pulumi.RunError("\n".join(f"sre-platform:adopt: {line}" for line in wrong))
    for name, former in formers.items():
        pulumi.log.info(report(name, former, teams))
    return formers


def _exists(address: str) -> bool:
    """Whether a real server is behind it: the sandbox's stand-ins use names that cannot exist."""
    return not (urlsplit(address).hostname or "").endswith(".invalid")  # RFC 2606


def _asked(find: Find, name: str) -> str | None:
    try:
        return find(name)
    except (RefusedError, UnreachableError) as error:
        raise pulumi.RunError(f"sre-platform:adopt: {error}") from None
    except UnadoptableError as error:
        raise pulumi.RunError(str(error)) from None


def _handover(cluster: Cluster, adoption: Adoption) -> pulumi.ResourceHookBinding:
    def before(args: ResourceHookArgs) -> None:
        wanted = known(args.new_inputs)
        said: Iterable[str] = ()
        if wanted is None:
            said = ["taken over if it exists; its changes are not known in advance"]
        elif taken := take_over(cluster, wanted, pulumi.runtime.is_dry_run()):
            if taken.changes:
                by = f" from {', '.join(taken.managers)}" if taken.managers else ""
                said = [f"taken over{by}; its changes:", *taken.changes]
            else:
                adoption.unchanged += 1
                adoption.managers.update(taken.managers)
        elif former := _counterpart(adoption, wanted):
            changes = made_beside(cluster, wanted, former)
            said = ["differences from the former object:", *changes] if changes else ()
        if said:
            pulumi.log.info("\n  ".join(said), adoption.resources[f"{args.type} {args.name}"])

    def after(args: ResourceHookArgs) -> None:
        if (wanted := known(args.new_inputs)) is None:
            return
        release(cluster, wanted)
        former = adoption.formers.get(args.name)
        if former and wanted["kind"] == "Deployment" and "replicas" not in wanted["spec"]:
            scale(cluster, wanted, former.pods)

    return pulumi.ResourceHookBinding(
        before_create=[_hook("take-over", before, on_dry_run=True)],
        after_create=[_hook("release", after, on_dry_run=False)],
    )


def _counterpart(adoption: Adoption, wanted: Object) -> Object | None:
    """A release's object in place of a new one, with the new one's names."""
    metadata = wanted["metadata"]
    app = (metadata.get("labels") or {}).get(NAME)
    former = adoption.formers.get(f"{metadata.get('namespace')}/{app}")
    return former.counterpart(wanted) if former else None


def _robots(harbor: Harbor) -> pulumi.ResourceHookBinding:
    def before(args: ResourceHookArgs) -> None:
        refuse_robot(harbor, args.name)

    return pulumi.ResourceHookBinding(before_create=[_hook("robots", before, on_dry_run=True)])


def refuse_robot(harbor: Harbor, name: str) -> None:
    """Raise UnadoptableError if `<team>/<robot>` exists.

    Only a robot's creator knows its secret, which must be stored in OpenBao.
    """
    team, _, robot = name.partition("/")
    project = _project(harbor, team)
    if project is None:
        return
    for found in harbor.robots(project["project_id"]):
        if found["name"].endswith(f"{team}+{robot}"):
            raise UnadoptableError(
                f"Harbor robot {found['name']} exists, and its secret cannot be read; delete it, "
                "and a new one is created with its credential at "
                f"{secret_path(team, f'harbor-{robot}')}"
            )


def _hook(
    name: str, action: Callable[[ResourceHookArgs], None], on_dry_run: bool
) -> pulumi.ResourceHook:
    def run(args: ResourceHookArgs) -> None:
        try:
            action(args)
        except (RefusedError, UnreachableError) as error:
            raise UnadoptableError(f"sre-platform:adopt: {error}") from None

    return pulumi.ResourceHook(name, run, pulumi.ResourceHookOptions(on_dry_run=on_dry_run))


def _openbao_ids(openbao: OpenBao) -> dict[str, Find]:
    """Objects that the provider would refuse or silently overwrite; a secret gets a new version."""

    def at(path: str, name: str, id: str) -> str | None:
        return id.format(name) if openbao.read(path.format(name)) else None

    def mounted(list_path: str, name: str, type: str, version: str | None) -> str | None:
        mount = (openbao.read(list_path) or {}).get(f"{name}/")
        if mount is None:
            return None
        if mount["type"] != type or (mount.get("options") or {}).get("version") != version:
            wanted = f"{type} of version {version}" if version else type
            raise UnadoptableError(
                f"OpenBao has '{mount['type']}' at {name}/, but this stack needs {wanted}; "
                "move it, or upgrade it to that version"
            )
        return name

    def login(name: str) -> str | None:
        return mounted("sys/auth", name, "kubernetes", None)

    def in_login(path: str, name: str) -> str | None:
        return at(path, name, path) if login("kubernetes") else None

    return {
        "vault:index/mount:Mount": lambda name: mounted("sys/mounts", name, "kv", "2"),
        "vault:index/authBackend:AuthBackend": login,
        "vault:index/policy:Policy": lambda name: at("sys/policies/acl/{}", name, "{}"),
        "vault:kubernetes/authBackendRole:AuthBackendRole": lambda name: in_login(
            "auth/kubernetes/role/{}", name
        ),
        "vault:kubernetes/authBackendConfig:AuthBackendConfig": lambda name: in_login(
            "auth/{}/config", name
        ),
    }


def _harbor_ids(harbor: Harbor, group_prefix: str) -> dict[str, Find]:
    def project(name: str) -> str | None:
        found = _project(harbor, name)
        return f"/projects/{found['project_id']}" if found else None

    def retention(name: str) -> str | None:
        id = ((_project(harbor, name) or {}).get("metadata") or {}).get("retention_id")
        return f"/retentions/{id}" if id else None

    def member(name: str) -> str | None:
        team, _, bare = name.partition("/")
        group = f"{group_prefix}{bare}"
        id = project(team)
        if id is None:
            return None
        members = harbor.get(f"projects/{team}/members", {"entityname": group, "page_size": "100"})
        for found in members:
            if found["entity_type"] == "g" and found["entity_name"] == group:
                return f"{id}/members/{found['id']}"
        return None

    return {
        "harbor:index/project:Project": project,
        "harbor:index/retentionPolicy:RetentionPolicy": retention,
        "harbor:index/projectMemberGroup:ProjectMemberGroup": member,
    }


def _project(harbor: Harbor, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = harbor.get(f"projects/{name}")
    except RefusedError as refusal:
        if refusal.status == 404:
            return None
        raise
    return found
