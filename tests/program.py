"""What tests ask of a run of the program: which resources it registered, and how."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.rpc import is_rpc_secret

from dryrun.recording import Recording, Registration

ROOT = Path(__file__).parent.parent
TEAMS = Path(__file__).parent / "teams"
# Teams whose files have keys that the shipped ones do not.
MOUNTED = Path(__file__).parent / "keys" / "files"
KEYS = sorted((Path(__file__).parent / "keys").glob("*.yaml"))

# The program's three components.
PLATFORM, TENANT, APP = "sre:platform:Platform", "sre:platform:Tenant", "sre:platform:App"

NAMESPACE = "kubernetes:core/v1:Namespace"
QUOTA = "kubernetes:core/v1:ResourceQuota"
LIMITS = "kubernetes:core/v1:LimitRange"
SERVICE = "kubernetes:core/v1:Service"
SERVICE_ACCOUNT = "kubernetes:core/v1:ServiceAccount"
SECRET = "kubernetes:core/v1:Secret"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CRON_JOB = "kubernetes:batch/v1:CronJob"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
DISRUPTION_BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ROLE_BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
CLUSTER_ROLE_BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
EXTERNAL_SECRET = "kubernetes:external-secrets.io/v1:ExternalSecret"
SECRET_STORE = "kubernetes:external-secrets.io/v1:ClusterSecretStore"
TENANT_STORE = "kubernetes:external-secrets.io/v1:SecretStore"
AUTHORIZATION_POLICY = "kubernetes:security.istio.io/v1:AuthorizationPolicy"
SERVICE_ENTRY = "kubernetes:networking.istio.io/v1:ServiceEntry"
VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService"
SERVICE_MONITOR = "kubernetes:monitoring.coreos.com/v1:ServiceMonitor"
ADMISSION_POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
ADMISSION_BINDING = f"{ADMISSION_POLICY}Binding"
PROMETHEUS_RULE = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"

PROJECT = "harbor:index/project:Project"
RETENTION = "harbor:index/retentionPolicy:RetentionPolicy"
ROBOT = "harbor:index/robotAccount:RobotAccount"
MEMBER = "harbor:index/projectMemberGroup:ProjectMemberGroup"

POLICY = "vault:index/policy:Policy"
AUTH_ROLE = "vault:kubernetes/authBackendRole:AuthBackendRole"
GROUP = "vault:identity/group:Group"
GROUP_ALIAS = "vault:identity/groupAlias:GroupAlias"
CREDENTIAL = "vault:kv/secretV2:SecretV2"
MOUNT = "vault:index/mount:Mount"
AUTH_BACKEND = "vault:index/authBackend:AuthBackend"
AUTH_CONFIG = "vault:kubernetes/authBackendConfig:AuthBackendConfig"


@dataclass(frozen=True)
class Resource:
    """A registered resource; others are named as `str(other)`: its type, a space, its name."""

    registration: Registration

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    @property
    def type(self) -> str:
        return self.registration.type

    @property
    def name(self) -> str:
        """The logical name."""
        return self.registration.name

    @property
    def package(self) -> str:
        return self.registration.package

    @property
    def inputs(self) -> dict[str, Any]:
        """Plain data, with `[secret]` for each secret."""
        return self.registration.inputs

    @property
    def wire(self) -> dict[str, Any]:
        """The same as sent to the engine, where a secret is wrapped."""
        return MessageToDict(self.registration.request.object)

    def unwrapped(self, key: str) -> str:
        """The value of a secret input."""
        secret = self.wire[key]
        assert is_rpc_secret(secret), f"{key} of {self} is no secret"
        return secret["value"]

    @property
    def metadata(self) -> dict[str, Any]:
        return self.inputs["metadata"]

    @property
    def spec(self) -> dict[str, Any]:
        return self.inputs["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata["labels"]

    @property
    def pod_template(self) -> dict[str, Any]:
        """The pods that a Deployment or CronJob makes."""
        spec = self.spec
        return (spec["jobTemplate"]["spec"] if self.type == CRON_JOB else spec)["template"]

    @property
    def pod(self) -> dict[str, Any]:
        return self.pod_template["spec"]

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.pod["containers"]
        return container

    @property
    def containers(self) -> list[dict[str, Any]]:
        """The app's, and those of the steps before it."""
        return [self.container, *self.pod.get("initContainers", [])]

    @property
    def protect(self) -> bool:
        return self.registration.request.protect

    @property
    def parent(self) -> str:
        return _short(self.registration.request.parent)

    @property
    def depends_on(self) -> set[str]:
        return {_short(urn) for urn in self.registration.request.dependencies}

    @property
    def deleted_with(self) -> str:
        urn = self.registration.request.deletedWith
        return _short(urn) if urn else ""

    @property
    def provider(self) -> str:
        """The explicit provider, empty if the resource would get a default one."""
        return _short(self.registration.request.provider.rpartition("::")[0])

    @property
    def former_types(self) -> set[str]:
        """Types in the resource's aliases."""
        return {alias.spec.type for alias in self.registration.request.aliases}

    @property
    def secret_outputs(self) -> set[str]:
        return set(self.registration.request.additionalSecretOutputs)


def _short(urn: str) -> str:
    _, _, types, name = urn.split("::", 3) if urn else ("", "", "", "")
    return f"{types.rpartition('$')[2]} {name}".strip()


@dataclass(frozen=True)
class Made:
    """What one run registered."""

    recording: Recording

    @cached_property
    def resources(self) -> list[Resource]:
        return [Resource(registration) for registration in self.recording.registrations]

    @property
    def outputs(self) -> dict[str, Any]:
        return self.recording.outputs

    def one(self, kind: str, name: str) -> Resource:
        """The only resource of this type and logical name."""
        found = [made for made in self.resources if (made.type, made.name) == (kind, name)]
        assert len(found) == 1, f"{len(found)} of {kind} {name}; there are {self.names(kind)}"
        return found[0]

    def all(self, *kinds: str) -> list[Resource]:
        """All of these types; there must be some, because a loop over none checks nothing."""
        return self._some([made for made in self.resources if made.type in kinds], kinds)

    def names(self, kind: str) -> list[str]:
        """Logical names, sorted; none where there is nothing of this type."""
        return sorted(made.name for made in self.resources if made.type == kind)

    def of_package(self, *packages: str) -> list[Resource]:
        """`kubernetes`, `harbor`, `vault`; `sre` for components, `pulumi` for providers."""
        return self._some([made for made in self.resources if made.package in packages], packages)

    def with_pods(self) -> list[Resource]:
        """Everything that makes pods."""
        return self.all(DEPLOYMENT, CRON_JOB)

    def packages(self) -> set[str]:
        """Those of which something was created."""
        return {made.package for made in self.resources}

    def _some(self, found: list[Resource], wanted: Sequence[str]) -> list[Resource]:
        assert found, f"nothing was made of {', '.join(wanted)}"
        return found

    def state(self) -> dict[str, dict[str, Any]]:
        """What the stack's state has once this is done: `type` and `outputs` by URN."""
        return {_urn(made): {"type": made.type, "outputs": made.inputs} for made in self.resources}


def _urn(made: Resource) -> str:
    """As the engine writes it, which leaves out the stack as a parent."""
    parent = made.parent.partition(" ")[0]
    types = made.type if parent in ("", "pulumi:pulumi:Stack") else f"{parent}${made.type}"
    return f"urn:pulumi:test::sre-platform::{types}::{made.name}"


def plain_strings(wire: Any) -> Iterator[str]:
    """Every string in what was sent to the engine that is not wrapped as a secret."""
    if isinstance(wire, str):
        yield wire
    elif isinstance(wire, list):
        for item in wire:
            yield from plain_strings(item)
    elif isinstance(wire, dict) and not is_rpc_secret(wire):
        for value in wire.values():
            yield from plain_strings(value)


def read_yaml(text: str) -> Any:
    """A document of YAML, read by libyaml: Python's own reader would take much of a test's time."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def as_yaml(data: Any, *, sort_keys: bool = True) -> str:
    """`data` as YAML, by libyaml."""
    return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=sort_keys)


def web_app(keys: str = "", name: str = "my-api") -> str:
    """A team's file with one web-app; `keys` is the YAML of its entry, as far as it matters."""
    return team_file(_entry("web-app", name, keys))


def worker(keys: str = "", name: str = "consumer") -> str:
    """The same with a worker."""
    return team_file(_entry("worker", name, keys))


def cronjob(keys: str = "", name: str = "report") -> str:
    """The same with a cronjob, which runs every night unless `keys` say otherwise."""
    return team_file({"schedule": {"cron": "0 2 * * *"}, **_entry("cronjob", name, keys)})


ARCHETYPES = ("web-app", "worker", "cronjob")


def one_of_each(keys: str = "", archetypes: Sequence[str] = ARCHETYPES) -> str:
    """A team's file with an app of each archetype, named by it, all with these `keys`."""
    return merged(*(_BUILD[name](keys, name) for name in archetypes))


_BUILD = {"web-app": web_app, "worker": worker, "cronjob": cronjob}


def team_file(*apps: Mapping[str, Any], keys: str = "", team: str = "team-alpha") -> str:
    """A team's file; `keys` is the YAML beside its apps."""
    return as_yaml({"team": team, **(read_yaml(keys) or {}), "apps": list(apps)})


def merged(*files: str) -> str:
    """One team's file with the apps of several."""
    loaded = [read_yaml(file) for file in files]
    return as_yaml({**loaded[0], "apps": [app for file in loaded for app in file["apps"]]})


def _entry(archetype: str, name: str, keys: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"archetype": archetype, **(read_yaml(keys) or {})}
    image = {"repository": f"harbor.sre.internal/team-alpha/{name}", "tag": "v1.0.0"}
    return {**entry, "app": {"name": name, "image": image, **entry.get("app", {})}}
