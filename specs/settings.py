"""What differs between stacks and between clusters, as checked models."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from specs.base import (
    NOT_EMPTY,
    ClusterRole,
    Cpu,
    Label,
    Memory,
    Port,
    Positive,
    Spec,
    checked,
    cpu,
    matching,
    memory,
)
from specs.hosts import check_host_pattern, host_of, namespace_of, other_names
from specs.labels import (
    AddedLabel,
    ChosenAnnotation,
    ChosenLabel,
    KeyPattern,
    LabelKey,
    LabelValue,
    steered,
)
from specs.names import check_dns_label
from specs.network import Cidr


def check_url(value: str) -> None:
    """Raise ValueError, "what is wrong; what to do"."""
    scheme, _, _ = value.partition("://")
    if "@" in value:  # not shown: a password may precede it
        raise ValueError("contains a user name or an '@'; write only the address")
    if scheme not in ("http", "https") or not host_of(value):
        raise ValueError(f"'{value}' is not a URL; write one such as https://openbao.sre.internal")


def namespace_of_gateway(gateway: str) -> str:
    """The namespace in "namespace/name"."""
    return gateway.partition("/")[0]


def _check_gateway(value: str) -> None:
    namespace, _, name = value.partition("/")
    check_dns_label(namespace)
    check_dns_label(name)


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("is empty; name at least one gateway")
    return value


def _once(value: tuple[str, ...]) -> tuple[str, ...]:
    for index, each in enumerate(value):
        if each in value[:index]:
            raise ValueError(f"lists '{each}' twice, which the API server refuses; remove one")
    return value


def _labelled(value: dict[str, str]) -> dict[str, str]:
    if not value:
        raise ValueError("is empty, which selects every pod; name at least one label")
    return value


def _check_group_prefix(value: str) -> None:
    if value != value.strip() or value.startswith("system:"):
        raise ValueError(f"'{value}' is not a group prefix; write one such as oidc:")


Url = Annotated[str, checked(check_url)]
Gateway = Annotated[str, checked(_check_gateway)]
HostPattern = Annotated[str, checked(check_host_pattern)]
GroupPrefix = Annotated[str, checked(_check_group_prefix)]
PodLabels = Annotated[dict[LabelKey, LabelValue], AfterValidator(_labelled)]


class Manage(Spec):
    """Targets in which this stack creates objects."""

    kubernetes: bool = Field(True, description="The cluster.")
    harbor: bool = Field(True, description="The registry.")
    openbao: bool = Field(True, description="The vault.")


class KubernetesSettings(Spec):
    """The cluster."""

    cluster_identifier: str = Field(
        min_length=1,
        description="Fixed name of the cluster, so that a changed kubeconfig never replaces "
        "objects.",
        examples=["sre-dev"],
    )
    context: str | None = Field(
        None, description="Context of the kubeconfig (`KUBECONFIG`); default: the current context."
    )
    pod_security: Literal["privileged", "baseline", "restricted"] | None = Field(
        None,
        description="Pod Security level of namespaces; above `privileged` it needs istio-cni.",
    )
    group_prefix: GroupPrefix = Field(
        "",
        description="What precedes a Keycloak group's name in the API server: its prefix "
        "(`--oidc-groups-prefix`), and `/` for full paths; team files name groups without it.",
        examples=['"oidc:/"'],
    )
    require_probes: bool = Field(
        False,
        description="Whether the cluster's admission policies require a liveness and a readiness "
        "probe of each container: then a worker's file must have both.",
    )
    group_roles: tuple[ClusterRole, ...] = Field(
        ("view",),
        description="ClusterRoles that team files may give to further groups (`access.roles`). A "
        "role that can change namespaces bypasses all guardrails.",
        examples=["[view, view-logs]"],
    )
    spread_over: Annotated[tuple[LabelKey, ...], AfterValidator(_once)] = Field(
        ("kubernetes.io/hostname", "topology.kubernetes.io/zone"),
        description="Labels of nodes over whose values an app's pods are spread as evenly as "
        "possible. Each node must have all of them: the scheduler does not spread pods over one "
        "that lacks a label. `[]` leaves it to the scheduler.",
        examples=["[kubernetes.io/hostname]"],
    )


class AllowedKey(Spec):
    """A label or annotation that teams may set on their namespaces."""

    key: KeyPattern = Field(
        description="A key, or a prefix that ends in `*` for all keys of a domain. Of the entries "
        "that match a key, only the most specific counts: the exact key, then the longest prefix.",
        examples=["example.com/cost-center"],
    )
    values: tuple[str, ...] = Field(
        (), description="Allowed values; default: any.", examples=["[low, high]"]
    )

    def covers(self, key: str) -> bool:
        """Whether it applies to `key`; a `*` does not match keys that control something."""
        if self.key.endswith("*"):
            return key.startswith(self.key[:-1]) and not steered(key)
        return key == self.key

    @property
    def closeness(self) -> tuple[bool, int]:
        """How closely it matches the keys that it covers; a greater value is closer."""
        return not self.key.endswith("*"), len(self.key)


class AllowedLabel(AllowedKey):
    """A label that teams may set on their namespaces."""

    values: tuple[LabelValue, ...] = Field(
        (), description="Allowed values; default: any.", examples=["[low, high]"]
    )


class NamespaceSettings(Spec):
    """Labels and annotations of teams' namespaces, beside those that the program sets."""

    labels: dict[ChosenLabel, LabelValue] = Field(
        default_factory=dict,
        description="Labels of every team's namespace. A team may replace the value of one that "
        "`allowedLabels` covers.",
        examples=["{sre.io/security-categorization: moderate}"],
    )
    annotations: dict[ChosenAnnotation, str] = Field(
        default_factory=dict,
        description="Annotations of every team's namespace. A team may replace the value of one "
        "that `allowedAnnotations` covers.",
        examples=['{example.com/contact: "platform@example.com"}'],
    )
    allowed_labels: tuple[AllowedLabel, ...] = Field(
        (), description="Labels that a team's file may set (`namespace.labels`)."
    )
    allowed_annotations: tuple[AllowedKey, ...] = Field(
        (), description="Annotations that a team's file may set (`namespace.annotations`)."
    )

    @property
    def every_label(self) -> dict[str, str]:
        """What every team's namespace is labelled with, unless a team may and does replace it.

        The program says that there are network policies, because it creates them with the
        namespace; the platform's admission policies require the label.
        """
        return {"sre.io/network-policy-configured": "true", **self.labels}


class HarborSettings(Spec):
    """The registry."""

    host: Annotated[
        str,
        matching(
            r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?",
            "is not a registry host; write one such as harbor.sre.internal",
        ),
    ] = Field("harbor.sre.internal", description="Host part of every image's repository.")
    url: Url | None = Field(None, description="Address of Harbor; default: `HARBOR_URL`.")
    insecure: bool = Field(False, description="Skip verification of Harbor's certificate.")
    shared_projects: tuple[Label, ...] = Field(
        (), description="Projects whose images every team may use."
    )
    map_groups: bool = Field(
        True, description="Make Keycloak groups members; Harbor must run in OIDC mode."
    )
    group_prefix: GroupPrefix = Field(
        "",
        description="What precedes a Keycloak group's name in Harbor: `/` for full paths.",
        examples=['"/"'],
    )
    image_pull_secret: bool = Field(
        True, description="Provide the pull robot's credential in the namespace as a pull secret."
    )


class OpenBaoSettings(Spec):
    """The vault."""

    address: Url | None = Field(None, description="Address of OpenBao; default: `VAULT_ADDR`.")
    skip_tls_verify: bool = Field(False, description="Skip verification of OpenBao's certificate.")
    skip_child_token: bool = Field(
        False,
        description="Use `VAULT_TOKEN` itself, for a short-lived token that cannot create "
        "child tokens.",
    )
    oidc_accessor: str | None = Field(
        None,
        description="Accessor of the OIDC auth mount: gives developers who sign in there their "
        "rights (`developerAccess`).",
        examples=["auth_oidc_1a2b3c4d"],
    )
    developer_access: Literal["read", "write"] = Field(
        "read",
        description="What developers may do with their team's secrets. `read`: list and read "
        "them. `write`: list their names and keys and store new values, without reading any or "
        "changing those of the robots; the policy for that is `<team>.developers`.",
    )
    group_prefix: GroupPrefix = Field(
        "",
        description="What precedes a Keycloak group's name in OpenBao: `/` for full paths.",
        examples=['"/"'],
    )
    cluster_address: Url | None = Field(
        None,
        description="Address of OpenBao as External Secrets reaches it; default: "
        "`https://openbao.openbao.svc.cluster.local:8200` in the cluster, else `address`.",
    )
    cluster_ca_cert: str | None = Field(
        None,
        description="PEM of the CA that External Secrets verifies OpenBao with; default: that of "
        "`VAULT_CACERT` where both reach OpenBao by `address`, else the operator's own.",
    )
    in_cluster: bool = Field(
        True,
        description="Whether OpenBao runs in the cluster; if not, it connects to the API "
        "server with "
        "the address and CA of the kubeconfig (`KUBECONFIG`).",
    )


class ExternalSecretsSettings(Spec):
    """The External Secrets Operator."""

    api_version: Literal["v1", "v1beta1"] = Field(
        "v1",
        description="Version of external-secrets.io in the cluster: v1beta1 up to ESO 0.16.",
    )
    secret_store: Literal["cluster", "tenant"] = Field(
        "cluster",
        description="Store that provides secrets: the shared ClusterSecretStore, which can read "
        "all teams' secrets (guardrails restrict each team to its own), or a SecretStore in "
        "each team's namespace, which can read only that team's.",
    )
    refresh_interval: Annotated[
        str, matching(r"([0-9]+[hms])+", "is not a duration; write one of h, m and s, such as 1h")
    ] = Field("1h", description="How often secrets are refreshed.")
    namespace: Label = Field("external-secrets", description="Namespace the operator runs in.")
    service_account: Label = Field(
        "external-secrets", description="ServiceAccount the operator logs in to OpenBao with."
    )


class ProxyRequests(Spec):
    """What is set aside for the sidecar of each pod."""

    cpu: Cpu = Field(cpu("100m"), description="Cores.")
    memory: Memory = Field(memory("128Mi"), description="Bytes.")


class ProxyLimits(Spec):
    """What the sidecar of each pod may use at most."""

    cpu: Cpu = Field(cpu("2"), description="Cores.")
    memory: Memory = Field(memory("1Gi"), description="Bytes.")


class Proxy(Spec):
    """The sidecar's container; the defaults are Istio's own (values: global.proxy.resources)."""

    requests: ProxyRequests = Field(ProxyRequests(), description="Resources reserved for it.")
    limits: ProxyLimits = Field(ProxyLimits(), description="Maximum resources for it.")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> "Proxy":
        for resource in ("cpu", "memory"):
            request, limit = getattr(self.requests, resource), getattr(self.limits, resource)
            if request.units > limit.units:
                raise ValueError(
                    f"requests.{resource} {request} is over limits.{resource} {limit}; lower it"
                )
        return self


class ControlPlane(Spec):
    """Where sidecars get their configuration and certificates."""

    namespace: Label = Field("istio-system", description="Namespace that istiod runs in.")
    pod_labels: PodLabels = Field(
        {"app": "istiod"},
        description="Labels of its pods; those of all revisions have the default.",
    )


Repository = Annotated[
    str,
    matching(
        # With a path: after a bare name, a ":" would start a port and allow any image there.
        r"[a-z0-9][a-z0-9.:-]*(/[a-z0-9][a-z0-9._-]*)+",
        "is not a repository; write one such as registry.istio.io/release/proxyv2",
    ),
]

# Where Istio publishes its sidecar's image: as its chart names it, and as older ones do.
_ISTIOS_OWN = ("registry.istio.io/release/proxyv2", "docker.io/istio/proxyv2")


class IstioSettings(Spec):
    """The service mesh."""

    gateways: Annotated[tuple[Gateway, ...], AfterValidator(_not_empty)] = Field(
        ("istio-system/sre-gateway",),
        description="Gateways an ingress may use, as namespace/name; the first is the default.",
    )
    gateway_pod_labels: PodLabels | None = Field(
        None,
        description="Labels of the gateways' pods, which alone may then connect to apps; default: "
        "every pod of the gateways' namespaces may.",
        examples=["{istio: gateway}"],
    )
    control_plane: ControlPlane | None = Field(
        ControlPlane(),
        description="The control plane, which every pod may reach on port 15012. `null`: teams get "
        "no such policy, because the cluster has no Istio or opens the port by other means.",
    )
    authorization: Literal["audit", "enforce"] | None = Field(
        None,
        description="AuthorizationPolicies that admit to a team's pods only the gateways, the team "
        "itself (with `namespace.internalTraffic: declared`, as its `calls` say), apps' `callers` "
        "and, with `metrics.scrape: mesh`, Prometheus. `enforce`: sidecars refuse everyone else. "
        "`audit`: they only record whom they would refuse. Default: no policies.",
    )
    proxy_image: Repository | None = Field(
        None,
        description="Repository of the sidecar's image, without a tag; every pod may run it. "
        "Default: Istio's own, `registry.istio.io/release/proxyv2` and `docker.io/istio/proxyv2`.",
        examples=["harbor.example.com/istio/proxyv2"],
    )
    proxy: Proxy | None = Field(
        None,
        description="CPU and memory of the sidecar, which apps' pods request by annotations; "
        "default: Istio's defaults, which the mesh must then not override.",
    )

    @property
    def gateway_namespaces(self) -> list[str]:
        """The namespaces of the gateways, in order."""
        return sorted({namespace_of_gateway(gateway) for gateway in self.gateways})

    @property
    def proxy_images(self) -> Sequence[str]:
        """Repositories from which a sidecar may come."""
        return (self.proxy_image,) if self.proxy_image else _ISTIOS_OWN

    @property
    def sidecar(self) -> Proxy:
        """The requests and limits of each pod's sidecar."""
        return self.proxy or Proxy()


class PlatformService(Spec):
    """What apps may call by a name: pods of a platform namespace, a host, or addresses.

    Exactly one of `namespace`, `host` and `cidrs`.
    """

    namespace: Label | None = Field(
        None, description="Namespace of its pods.", examples=["databases"]
    )
    pod_labels: PodLabels | None = Field(
        None,
        description="Labels of its pods; default: every pod of `namespace`.",
        examples=["{app: postgresql}"],
    )
    host: HostPattern | None = Field(
        None, description="Its host, outside the mesh.", examples=["smtp.example.com"]
    )
    cidrs: tuple[Cidr, ...] = Field(
        (), description="Its addresses, outside the mesh.", examples=["[10.0.0.1/32]"]
    )
    ports: Annotated[tuple[Port, ...], NOT_EMPTY] = Field(
        description="Its ports, all of them TCP; of pods, their containers'.", examples=["[5432]"]
    )


class NetworkSettings(Spec):
    """What apps may connect to."""

    https_egress: Literal["open", "declared"] = Field(
        "open",
        description="`open`: every pod may connect to port 443 of any address. `declared`: only "
        "apps whose `calls` name a host or addresses with that port.",
    )
    platform: dict[Label, PlatformService] = Field(
        default_factory=dict,
        description="Services that apps may call by name (`calls: [{platform: NAME}]`).",
        examples=["{databases: {namespace: databases, ports: [5432]}}"],
    )


class MetricsSettings(Spec):
    """How the platform's Prometheus reads apps' metrics."""

    scrape: Literal["merged", "mesh", "plain"] = Field(
        "merged",
        description="`merged`: from the sidecar's port 15020, which needs no certificate and adds "
        "the sidecar's own metrics. `mesh`: from the app's port, with a certificate of Istio that "
        "Prometheus has in `certificates`. `plain`: from the app's port without TLS, which "
        "STRICT mutual TLS refuses.",
    )
    labels: dict[AddedLabel, LabelValue] = Field(
        default_factory=dict,
        description="Labels of ServiceMonitors and PrometheusRules, by which Prometheus selects "
        "them. With the Helm chart kube-prometheus-stack that is `release`, unless its values say "
        "otherwise.",
        examples=["{release: monitoring}"],
    )
    certificates: Annotated[
        str, matching(r"(/[A-Za-z0-9._-]+)+", "is not a folder; write one such as /etc/prom-certs")
    ] = Field(
        "/etc/prom-certs",
        description="For `mesh`: folder in Prometheus's pods with `root-cert.pem`, "
        "`cert-chain.pem` and `key.pem`.",
    )


PREFIX = "sre-platform:"

# Leaves Harbor out of one run: for servers that lack one.
LEAVE_OUT = "SRE_PLATFORM_LEAVE_OUT"

# The (Cluster)SecretStore, and the ServiceAccount with which a namespace's own store logs in.
SECRET_STORE = "openbao-backend"

# Its kind, by `externalSecrets.secretStore`.
STORE_KINDS = {"cluster": "ClusterSecretStore", "tenant": "SecretStore"}

# Role and policy in OpenBao with which External Secrets logs in.
STORE_ROLE = "external-secrets"

# Where Prometheus runs (guide: Monitoring).
MONITORING = "monitoring"

# A team's name also names a policy and a role in OpenBao and a project in Harbor.
_RESERVED = frozenset(
    {"default", MONITORING, "kyverno", "keycloak", "openbao", "harbor", "flux-system"}
    | {STORE_ROLE, "root", "response-wrapping", "library", "istio-system"}
    # External Secrets treats sre/data/team-a/x as sre/team-a/x, so a team `data` would read all
    # others'.
    | {"data"}
)


class MonitoringSettings(Spec):
    """What teams and apps get in the platform's Prometheus and Grafana without asking for it."""

    default_alerts: bool = Field(
        True,
        description="Create the alerts in `defaultAlerts` of team files. They read metrics of "
        "kube-state-metrics, of the kubelet (cAdvisor) and of the sidecars' agents.",
    )
    runbooks: Url | None = Field(
        None,
        description="Address of the folder `docs/runbooks/` as people open it, for the "
        "`runbook_url` of default alerts; default: its path in the repository.",
        examples=["https://git.example.com/sre-platform/blob/main/docs/runbooks"],
    )
    dashboards: bool = Field(
        True,
        description="Create a Grafana dashboard for each team and app: a ConfigMap with the label "
        "`grafana_dashboard`, which the sidecar of kube-prometheus-stack's Grafana reads.",
    )
    folder_annotation: LabelKey = Field(
        "grafana_folder",
        description="Annotation of these ConfigMaps with the folder, which is the team's name. "
        "Grafana's chart must name the same (`sidecar.dashboards.folderAnnotation`).",
    )


class StackSettings(Spec):
    """What each stack says for itself."""

    cluster: str = Field(
        "",
        description="Cluster of this stack: the settings in `clusters/<cluster>.yaml` apply to it, "
        "except for those that it sets itself.",
        examples=["sre-production"],
    )
    teams: tuple[str, ...] | Literal["*"] = Field(
        description='Teams of this stack: a list, or "*" for all files in `tenants/`.',
        examples=['"*"'],
    )
    platform: bool = Field(
        False,
        description="Whether this stack manages the objects that all tenants share; exactly "
        "one stack per cluster does.",
    )
    moved: tuple[str, ...] = Field((), description="Ignored; no longer needed. Remove it.")
    adopt: bool = Field(
        False,
        description="Take over objects that already exist under this stack's names instead "
        "of failing, "
        "and start apps beside objects that a chart named differently; keep it set until "
        "nothing is held back (docs/migration.md).",
    )


class ClusterSettings(Spec):
    """All of `clusters/<cluster>.yaml`: what the stacks of a cluster have in common."""

    tenants: str = Field("tenants", description="Folder of the team files.")
    manage: Manage = Field(Manage(), description="Targets in which a stack creates objects.")
    kubernetes: KubernetesSettings = Field(description="The cluster.")
    namespace: NamespaceSettings = Field(
        NamespaceSettings(), description="Labels and annotations of teams' namespaces."
    )
    harbor: HarborSettings = Field(HarborSettings(), description="The registry.")
    openbao: OpenBaoSettings = Field(OpenBaoSettings(), description="The vault.")
    external_secrets: ExternalSecretsSettings = Field(
        ExternalSecretsSettings(), description="The External Secrets Operator."
    )
    istio: IstioSettings = Field(IstioSettings(), description="The service mesh.")
    network: NetworkSettings = Field(NetworkSettings(), description="What apps may connect to.")
    metrics: MetricsSettings = Field(
        MetricsSettings(), description="How Prometheus reads apps' metrics."
    )
    monitoring: MonitoringSettings = Field(
        MonitoringSettings(), description="Default alerts and dashboards."
    )
    platform_hosts: tuple[HostPattern, ...] = Field(
        (),
        description="Hosts that no team may use, besides the servers in this config: full names, "
        "or `*.` and a domain for all its subdomains.",
        examples=['[grafana.sre.example.com, "*.sre.internal"]'],
    )
    guardrails: Literal["deny", "audit"] = Field(
        "deny",
        description="What happens to objects in team namespaces that violate the platform's "
        "policies: "
        "refused, or admitted with a warning and an audit log entry.",
    )
    exception_max_days: Positive | None = Field(
        None,
        description="How many days ahead an app's exception may end (`apps[].exceptions[].until`); "
        "default: any number.",
        examples=["365"],
    )


class Settings(ClusterSettings, StackSettings):
    """A stack's settings: all of `sre-platform:*` in its config, and those of its cluster."""

    model_config = ConfigDict(alias_generator=lambda name: PREFIX + to_camel(name))

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, config: Any) -> Any:
        if not isinstance(config, Mapping):
            return config
        return {key: value for key, value in config.items() if str(key).startswith(PREFIX)}

    @property
    def platform_namespaces(self) -> frozenset[str]:
        """Names that no team may use: platform namespaces, and names in OpenBao and Harbor."""
        servers = {namespace for host in self._addresses if (namespace := namespace_of(host))}
        plane = self.istio.control_plane
        mesh = {plane.namespace} if plane else set()
        called = {each.namespace for each in self.network.platform.values() if each.namespace}
        gateways = self.istio.gateway_namespaces
        return _RESERVED.union(gateways, servers, mesh, called, [self.external_secrets.namespace])

    def is_platform_namespace(self, name: str) -> bool:
        """Whether a namespace of the name is, or may become, the platform's."""
        return name in self.platform_namespaces or name.startswith("kube-")

    @property
    def platform_owned_hosts(self) -> dict[str, str]:
        """Hosts that no team may use, `*.` for all below a domain, and the setting that says so."""
        listed = {host.lower().removesuffix("."): "platformHosts" for host in self.platform_hosts}
        named = {
            name: setting
            for host, setting in self._addresses.items()
            for name in sorted(other_names(host))
        }
        return named | listed

    @property
    def _addresses(self) -> dict[str, str]:
        """Hosts of the servers that the stack names, and the setting that names them."""
        registries = [image.partition("/")[0] for image in self.istio.proxy_images]
        named = [registry for registry in registries if set(".:") & set(registry)]
        settings = (
            *((registry, "istio.proxyImage") for registry in named),
            (self.openbao.cluster_address, "openbao.clusterAddress"),
            (self.openbao.address, "openbao.address"),
            (self.harbor.url, "harbor.url"),
            (self.harbor.host, "harbor.host"),
        )
        return {host_of(address): name for address, name in settings if address}

    @property
    def group_prefixes(self) -> tuple[str, ...]:
        """What any of the servers puts before a Keycloak group's name."""
        prefixes = (self.kubernetes, self.harbor, self.openbao)
        return tuple(dict.fromkeys(each.group_prefix for each in prefixes if each.group_prefix))

    def leaving_out(self, target: str) -> "Settings":
        """These settings with `target` not managed; "" leaves nothing out.

        Raises ValueError for any target but Harbor: everything that a run creates there is
        protected, so Pulumi refuses a run that leaves it out by mistake, and nothing is deleted.
        """
        if not target:
            return self
        if target != "harbor":
            raise ValueError(f"'{target}' cannot be left out; only harbor can")
        return self.model_copy(update={"manage": self.manage.model_copy(update={target: False})})
