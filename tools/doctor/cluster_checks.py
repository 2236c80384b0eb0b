"""What the stack needs from its cluster."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple, get_args

from clients.http import RefusedError
from clients.kubeconfig import KubeconfigError, api_server
from clients.kubernetes import Cluster, Object
from specs.network import NAMESPACE_NAME
from specs.settings import ExternalSecretsSettings, Settings
from tools.doctor import arrivals, nodes, operators, selection
from tools.doctor.called_ranges import called_ranges
from tools.doctor.examination import (
    Check,
    Outcome,
    fail,
    ok,
    skipped,
    tls,
    warn,
)
from tools.doctor.policy_engines import policy_engines
from tools.doctor.sidecars import Sidecars
from tools.doctor.storage_classes import storage_classes
from tools.doctor.webhooks import Webhooks

OLDEST = (1, 30)  # serves ValidatingAdmissionPolicies, the guardrails, as v1
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io/v1"
_ISTIO = "networking.istio.io"
_OPERATORS = {
    "external-secrets.io": "the External Secrets Operator",
    _ISTIO: "Istio",
    "security.istio.io": "Istio",
    "monitoring.coreos.com": "the Prometheus Operator",
}

_VERBS = ("create", "get", "patch", "delete")
# Additionally for `sre-platform:adopt`: looking for a release's objects, and replacing.
_ADOPTING = ("list", "update")
# Kinds that the provider watches until a Deployment is available (its await/deployment.go).
_FOLLOWED = (
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("", "pods"),
    ("", "persistentvolumeclaims"),
)
_AT_ONCE = 8  # parallel questions to the API server
_NAMED = 3  # namespaces named in a line


class _Right(NamedTuple):
    """A verb on a resource; `namespaces` is empty for what is cluster-scoped."""

    verb: str
    group: str
    resource: str
    namespaces: tuple[str, ...]


class ClusterChecks:
    """`objects` are those that the stack creates in the cluster, as the program registers them."""

    trust = "the kubeconfig's certificate-authority"

    def __init__(self, settings: Settings, objects: Sequence[Mapping[str, Any]]) -> None:
        self._settings = settings
        self._objects = objects
        self._user = "this identity"
        self._cluster: Cluster

    def checks(self) -> Iterator[Check]:
        """In the order in which to run them."""
        yield Check("kubeconfig", self._kubeconfig, gate=True)
        yield Check("version", self._version, gate=True)
        yield Check("TLS", self._tls)
        yield Check("identity", self._identity, gate=True)
        yield Check("served kinds", self._served)
        yield Check("permissions", self._permissions)
        yield Check("granting roles", self._roles)
        if self._of_kind("VirtualService") or self._settings.platform:
            yield Check("gateways", self._gateways)
        if self._of_kind("Deployment") and self._settings.istio.control_plane:
            yield Check("sidecars", lambda: self._sidecars().injection())
            yield Check("istiod", lambda: self._sidecars().control_plane())
            yield Check("outbound", lambda: self._sidecars().outbound())
        if ranges := [one for one in self._of_kind("ServiceEntry") if "addresses" in one["spec"]]:
            yield Check("called ranges", lambda: called_ranges(self._cluster, ranges))
        if self._of_kind("NetworkPolicy"):
            yield Check("network policies", lambda: policy_engines(self._cluster))
        if self._of_kind("Deployment"):
            yield Check("pods", lambda: self._sidecars().pods())
        labels = self._settings.kubernetes.spread_over
        if self._of_kind("Deployment") and labels:
            yield Check("nodes", lambda: nodes.spread_over(self._cluster, labels))
        if claims := self._of_kind("PersistentVolumeClaim"):
            yield Check("storage", lambda: storage_classes(self._cluster, claims))
        if self._shared_stores():
            yield Check("secret store", self._secret_stores)
        if self._of_kind("ExternalSecret") or self._settings.platform:
            yield Check("External Secrets", self._operator)
        if self._of_kind("ExternalSecret"):
            yield Check("secrets", self._secrets)
        if any(self._of_kind(kind) for kind in selection.SELECTORS):
            yield Check("Prometheus", self._prometheus)
            yield Check("Prometheus Operator", self._prometheus_operator)
        if self._of_kind("HorizontalPodAutoscaler"):
            yield Check("metrics API", lambda: [operators.metrics_api(self._cluster)])
        yield Check("webhooks", lambda: Webhooks(self._cluster, self._objects).answers())
        yield Check("guardrails", self._guardrails)
        if self._of_kind("Namespace"):
            yield Check("Pod Security", self._pod_security)
        if self._hands_over_its_ca():
            yield Check("CA for OpenBao", self._ca_cert)

    def _sidecars(self) -> Sidecars:
        return Sidecars(self._cluster, self._settings, self._objects)

    def _of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        return [made for made in self._objects if made["kind"] == kind]

    def _kubeconfig(self) -> Iterator[Outcome]:
        context = self._settings.kubernetes.context
        try:
            self._cluster = Cluster(context, retries=1)
        except KubeconfigError as error:
            yield fail(
                str(error),
                "set KUBECONFIG to a file that `kubectl"
                f"{f' --context {context}' if context else ''} version` works with",
            )
            return
        yield ok(f"context {context}" if context else "its current context")

    def _version(self) -> Iterator[Outcome]:
        try:
            version = self._cluster.call("GET", "version")["gitVersion"]
        except RefusedError as refusal:
            if refusal.status != 401:
                raise
            yield _unknown()
            return
        found = f"{version} at {self._cluster.address}"
        numbers = re.match(r"v(\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST:
            yield ok(found)
        else:
            yield fail(found, f"upgrade to Kubernetes {OLDEST[0]}.{OLDEST[1]} or newer")

    def _tls(self) -> Iterator[Outcome]:
        unverified = warn(
            "not verified: the kubeconfig has insecure-skip-tls-verify",
            "set the CA there instead (certificate-authority-data)",
        )
        off = None if self._cluster.verified else unverified
        yield tls(self._cluster.address, "credentials travel", off)

    def _identity(self) -> Iterator[Outcome]:
        try:
            known = self._cluster.who_am_i()
        except RefusedError as refusal:
            if refusal.status not in (401, 403):
                raise
            yield _unknown()
            return
        self._user = known["username"]
        yield _unknown() if self._user == "system:anonymous" else ok(self._user)

    def _served(self) -> Iterator[Outcome]:
        wanted = sorted({(made["apiVersion"], made["kind"]) for made in self._objects})
        own = 0
        for version, pairs in groupby(wanted, key=lambda pair: pair[0]):
            kinds = [kind for _, kind in pairs]
            lacking = sorted(set(kinds) - set(self._cluster.served(version)))
            group = version.partition("/")[0]
            if lacking:
                yield self._not_served(version, lacking)
            elif group in _OPERATORS:
                yield ok(f"{version}: {', '.join(kinds)}")
            else:
                own += len(kinds)
        yield ok(f"{own} built into Kubernetes")

    def _not_served(self, version: str, kinds: Sequence[str]) -> Outcome:
        group, _, _ = version.partition("/")
        served = self._versions(group)
        found = f"{version} without {', '.join(kinds)}"
        if served:
            found += f"; {group} is served as {', '.join(served)}"
        operator = _OPERATORS.get(group)
        if operator is None:
            return fail(found, "upgrade the cluster")
        known = get_args(ExternalSecretsSettings.model_fields["api_version"].annotation)
        other = [one for one in served if one in known and f"{group}/{one}" != version]
        if group == "external-secrets.io" and other:
            return fail(found, f"set sre-platform:externalSecrets.apiVersion to {other[0]}")
        return fail(found, f"{'upgrade' if served else 'install'} {operator}")

    def _versions(self, group: str) -> list[str]:
        try:
            versions = self._cluster.call("GET", f"apis/{group}")["versions"]
        except RefusedError:
            return []
        return [one["version"] for one in versions]

    def _permissions(self) -> Iterator[Outcome]:
        rights = list(dict.fromkeys(self._rights()))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            refused = list(pool.map(self._refused, rights))
        lacking: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
        for right, where in zip(rights, refused, strict=True):
            if where is not None:
                lacking[right.group, right.resource, where].append(right.verb)
        for (group, resource, namespaces), verbs in lacking.items():
            kind, slash, part = resource.partition("/")
            name = f"{kind}.{group}{slash}{part}" if group else resource
            yield fail(
                f"{self._user} may not {', '.join(verbs)} {name}{_in(namespaces)}",
                "grant it with a ClusterRole and a binding",
            )
        if not lacking:
            resources = {(right.group, right.resource) for right in rights}
            yield ok(f"everything the program does with {len(resources)} kinds of objects")

    def _rights(self) -> Iterator[_Right]:
        """The provider's operations on each kind; unserved kinds are reported elsewhere."""
        places: dict[tuple[str, str], set[str]] = defaultdict(set)
        for made in self._objects:
            places[made["apiVersion"], made["kind"]].add(made["metadata"].get("namespace", ""))
        for (version, kind), namespaces in sorted(places.items()):
            served = self._cluster.served(version).get(kind)
            if served is None:
                continue
            group = version.rpartition("/")[0]
            where = tuple(sorted(namespaces)) if served.namespaced else ()
            for verb in (*_VERBS, *(_ADOPTING if self._settings.adopt else ())):
                yield _Right(verb, group, served.plural, where)
            if kind == "Deployment":
                if self._settings.adopt:
                    yield _Right("patch", group, f"{served.plural}/scale", where)
                for group, resource in _FOLLOWED:
                    yield _Right("list", group, resource, where)
                    yield _Right("watch", group, resource, where)

    def _refused(self, right: _Right) -> tuple[str, ...] | None:
        """The namespaces that lack the right; None if it is there wherever it is needed."""
        if self._cluster.may(right.verb, right.group, right.resource):
            return None
        refused = [
            namespace
            for namespace in right.namespaces
            if not self._cluster.may(right.verb, right.group, right.resource, namespace)
        ]
        return tuple(refused) if refused or not right.namespaces else None

    def _roles(self) -> Iterator[Outcome]:
        """Kubernetes lets nobody grant rights that they lack, unless they may `bind` the role."""
        bindings = {
            (made["roleRef"]["kind"], made["roleRef"]["name"]): made
            for made in self._objects
            if made["kind"] in ("RoleBinding", "ClusterRoleBinding")
        }
        for _, name in sorted(bindings):
            yield from self._role(name)
        lacking = [name for (_, name), made in sorted(bindings.items()) if not self._may_bind(made)]
        for name in lacking:
            yield fail(
                f"{self._user} may not bind the ClusterRole {name}",
                f"grant it `bind` on clusterroles.{_RBAC} of that name, or grant it that "
                "role's rights",
            )
        if not lacking:
            yield ok(", ".join(sorted(name for _, name in bindings)) or "none granted")

    def _role(self, name: str) -> Iterator[Outcome]:
        """A binding to a role that does not exist is accepted, and grants nothing."""
        try:
            role = self._cluster.get(f"{_RBAC}/v1", "ClusterRole", None, name)
        except RefusedError as refusal:
            if refusal.status != 403:
                raise
            return
        if role is None:
            yield fail(
                f"no ClusterRole {name}",
                "create it, or remove it from the team's access.roles",
            )
        elif name in self._settings.kubernetes.group_roles and _changes_namespaces(role):
            yield warn(
                f"the ClusterRole {name} can change namespaces, which bypasses all guardrails",
                "remove it from sre-platform:kubernetes.groupRoles, or remove that right "
                "from the role",
            )

    def _may_bind(self, binding: Mapping[str, Any]) -> bool:
        role = binding["roleRef"]["name"]
        if self._cluster.may("bind", _RBAC, "clusterroles", name=role):
            return True
        metadata: dict[str, str] = {"name": "sre-doctor"}
        if team := binding["metadata"].get("namespace"):
            # The team's own may not exist yet.
            there = self._cluster.get("v1", "Namespace", None, team) is not None
            metadata["namespace"] = team if there else "default"
        try:
            self._cluster.create({**binding, "metadata": metadata}, dry_run=True)
        except RefusedError as refusal:
            if refusal.status != 403:
                raise
            return False
        return True

    def _gateways(self) -> Iterator[Outcome]:
        used = {
            name for made in self._of_kind("VirtualService") for name in made["spec"]["gateways"]
        }
        served = self._versions(_ISTIO)
        for gateway in sorted(used | set(self._settings.istio.gateways)):
            namespace, _, name = gateway.partition("/")
            version = f"{_ISTIO}/{served[0]}" if served else _ISTIO
            live = self._cluster.get(version, "Gateway", namespace, name)
            if live is None:
                finding = fail if gateway in used else warn
                yield finding(
                    f"no Gateway {gateway}",
                    "create it, or name others in sre-platform:istio.gateways",
                )
            else:
                selector = live["spec"].get("selector") or {}
                yield operators.gateway(self._cluster, gateway, selector, self._settings.istio)

    def _shared_stores(self) -> set[str]:
        """ClusterSecretStores from which secrets come."""
        refs = [made["spec"]["secretStoreRef"] for made in self._of_kind("ExternalSecret")]
        used = {ref["name"] for ref in refs if ref["kind"] == "ClusterSecretStore"}
        return used | self._made_stores()

    def _made_stores(self) -> set[str]:
        return {made["metadata"]["name"] for made in self._of_kind("ClusterSecretStore")}

    def _secret_stores(self) -> Iterator[Outcome]:
        version = f"external-secrets.io/{self._settings.external_secrets.api_version}"
        for name in sorted(self._shared_stores()):
            store = self._cluster.get(version, "ClusterSecretStore", None, name)
            if store is None and name in self._made_stores():
                yield ok(f"{name} will be created by this stack")
            elif store is None:
                yield fail(
                    f"no ClusterSecretStore {name}",
                    "run the stack that has sre-platform:platform, or set "
                    "sre-platform:externalSecrets.secretStore to tenant",
                )
            else:
                yield arrivals.store(name, store)

    def _operator(self) -> Iterator[Outcome]:
        operator = self._settings.external_secrets
        namespace, name = operator.namespace, operator.service_account
        if self._cluster.get("v1", "ServiceAccount", namespace, name) is None:
            yield fail(
                f"no ServiceAccount {namespace}/{name}",
                "install the operator, or set its namespace and serviceAccount in "
                "sre-platform:externalSecrets",
            )
        else:
            yield operators.external_secrets(self._cluster, operator)

    def _secrets(self) -> Iterator[Outcome]:
        def live(made: Mapping[str, Any]) -> Object | None:
            metadata = made["metadata"]
            return self._cluster.get(
                made["apiVersion"], made["kind"], metadata["namespace"], metadata["name"]
            )

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(live, self._of_kind("ExternalSecret")))
        yield from arrivals.secrets([one for one in found if one], datetime.now(UTC))

    def _prometheus_operator(self) -> Iterator[Outcome]:
        yield from operators.prometheus_operator(self._cluster, self._readers() or [])

    def _readers(self) -> list[Object] | None:
        """What selects ServiceMonitors and rules; None if the operator serves no such kind."""
        served = [
            (version, kind)
            for version, kind in selection.READERS
            if kind in self._cluster.served(version)
        ]
        if not served:
            return None
        return [
            {**one, "kind": kind}
            for version, kind in served
            for one in self._cluster.list(version, kind)
        ]

    def _prometheus(self) -> Iterator[Outcome]:
        readers = self._readers()
        if readers is None:
            yield skipped("its operator does not serve the kind Prometheus")
            return
        labels = self._labels_of_namespaces() if selection.by_namespace(readers) else {}
        for kind in selection.SELECTORS:
            if made := self._of_kind(kind):
                yield selection.read(kind, made, readers, labels)
        if self._settings.metrics.scrape == "mesh" and self._of_kind("ServiceMonitor"):
            for name in selection.forbids_files(readers):
                yield warn(
                    f"{name} rejects ServiceMonitors that read files, as metrics.scrape mesh needs",
                    "remove its arbitraryFSAccessThroughSMs.deny, or set sre-platform:metrics."
                    "scrape to merged",
                )

    def _labels_of_namespaces(self) -> selection.LabelsOf:
        """As `up` leaves them: labels that others have set stay."""
        listed = self._cluster.list("v1", "Namespace")
        live = {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in listed}
        made = {
            one["metadata"]["name"]: {NAMESPACE_NAME: one["metadata"]["name"]}
            | one["metadata"]["labels"]
            for one in self._of_kind("Namespace")
        }
        return {name: live.get(name, {}) | labels for name, labels in made.items()}

    def _guardrails(self) -> Iterator[Outcome]:
        """A policy does nothing without its binding."""
        listed = self._cluster.list(_ADMISSION, "ValidatingAdmissionPolicy")
        bindings = self._cluster.list(_ADMISSION, "ValidatingAdmissionPolicyBinding")
        names = [one["metadata"]["name"] for one in listed]
        ours = sorted(name for name in names if name.startswith("sre-"))
        bound = {one["spec"]["policyName"]: one["spec"]["validationActions"] for one in bindings}
        loose = [name for name in ours if name not in bound]
        audited = [name for name in ours if name in bound and "Deny" not in bound[name]]
        if not ours and self._settings.platform:
            yield ok("will be created by this stack")
        elif not ours:
            yield warn(
                "no ValidatingAdmissionPolicy sre-*",
                "run the stack that has sre-platform:platform",
            )
        elif loose:
            yield fail(
                f"{', '.join(loose)} without a binding, so not enforced",
                "run `pulumi up --refresh` on the stack that has sre-platform:platform",
            )
        elif audited and self._settings.guardrails == "deny":
            yield warn(
                f"{', '.join(audited)} only audited",
                "set sre-platform:guardrails to deny in the platform's stack",
            )
        else:
            yield ok(f"{len(ours)} ValidatingAdmissionPolicies sre-*")

    def _pod_security(self) -> Iterator[Outcome]:
        level = self._settings.kubernetes.pod_security
        if level in (None, "privileged"):
            yield warn(
                "namespaces enforce no level: `edit` gives root on the nodes, unless "
                "something else prevents it",
                "set sre-platform:kubernetes.podSecurity; with Istio that needs istio-cni",
            )
        else:
            yield ok(level)

    def _hands_over_its_ca(self) -> bool:
        settings = self._settings
        return settings.platform and settings.manage.openbao and not settings.openbao.in_cluster

    def _ca_cert(self) -> Iterator[Outcome]:
        try:
            server = api_server(self._settings.kubernetes.context)
            yield ok(f"in the kubeconfig, for {server.host}")
        except KubeconfigError as error:
            found, _, do = str(error).partition("; ")
            yield fail(found, do)


def _unknown() -> Outcome:
    return fail(
        "the API server does not know this user: the credentials are wrong or have expired",
        "log in again; check with `kubectl auth whoami`",
    )


def _changes_namespaces(role: Mapping[str, Any]) -> bool:
    return any(
        {"", "*"} & set(rule.get("apiGroups") or ())
        and {"namespaces", "*"} & set(rule.get("resources") or ())
        and {"update", "patch", "delete", "*"} & set(rule.get("verbs") or ())
        for rule in role.get("rules") or ()
    )


def _in(namespaces: Iterable[str]) -> str:
    names = list(namespaces)
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" in {', '.join(names[:_NAMED])}{more}"
