"""An API server, as the kubeconfig describes it."""

import copy
import json
import logging
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_kube_config

from clients.http import Http, RefusedError
from clients.kubeconfig import KubeconfigError, current_context, listed

Object = dict[str, Any]
T = TypeVar("T")
Entry = Mapping[str, Any]  # in an object's managedFields
_ATTEMPTS = 10  # while others keep changing an object
_PAUSE = 0.1  # seconds, longer each time
_PAST_THE_END = 10  # seconds in which a server ends a watch by itself
mistaken = re.compile(
    r"failed to (?:create typed patch|convert new) object \(.*?\).*?: (.*?)(?:, got .*)?$"
)


class FieldConflictError(RefusedError):
    """Other managers own fields that were to be applied without force; `reason` names both."""


class Resource(NamedTuple):
    """How the API server serves a kind: its plural, and whether it is namespaced."""

    plural: str
    namespaced: bool


class Cluster:
    """The API server, as one identity sees it; safe to use from several threads."""

    def __init__(
        self, context: str | None = None, kubeconfig: Path | None = None, retries: int = 4
    ) -> None:
        """Use `context` of `kubeconfig`; by default the current context of what `KUBECONFIG` lists.

        Raises KubeconfigError.
        """
        configuration = Configuration()
        with _complaints() as complaints:
            self.context = _load(kubeconfig, context, configuration)
        ca_cert, cert = configuration.ssl_ca_cert, configuration.cert_file
        token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if complaints and not (token or cert):
            raise KubeconfigError("the kubeconfig's credential plugin fails")
        self.verified = bool(configuration.verify_ssl)
        self._verify = (Path(ca_cert) if ca_cert else True) if self.verified else False
        self._retries = retries
        self._http = Http(
            configuration.host,
            self._verify,
            (cert, str(configuration.key_file)) if cert else None,
            retries,
        )
        self._headers = {"Authorization": token} if token else {}
        self._resources: dict[str, dict[str, Resource]] = {}

    @property
    def address(self) -> str:
        return self._http.address

    def impersonating(self, user: str, group: str | None = None) -> Self:
        """The cluster as that user of that group sees it; impersonation must be allowed."""
        other = copy.copy(self)
        other._headers = {**self._headers, "Impersonate-User": user}
        if group:
            other._headers["Impersonate-Group"] = group
        return other

    def with_token(self, token: str | None) -> Self:
        """The cluster as the bearer of that token sees it, or as anonymous."""
        other = copy.copy(self)
        other._http = Http(self.address, self._verify, retries=self._retries)
        other._headers = {"Authorization": f"Bearer {token}"} if token else {}
        return other

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Raises RefusedError and UnreachableError, like all methods here."""
        return self._http.call(method, path, self._headers, body, query, content_type)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """The answer to a GET as it was sent, such as a log."""
        return self._http.text("GET", path, self._headers, query)

    def metadata(self, path: str) -> Object | None:
        """The metadata of an object, without its content; None if it does not exist."""
        accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
        try:
            found: Object = self._http.call("GET", path, {**self._headers, "Accept": accept})
        except RefusedError as refusal:
            if refusal.status == 404:
                return None
            raise
        return found

    def watch(self, path: str, version: str, seconds: int) -> Iterator[tuple[str, Object]]:
        """What happens to the objects at a path after a version, until the server ends the answer.

        That is after so many seconds at the latest. Yields `ADDED`, `MODIFIED`, `DELETED` or
        `BOOKMARK` and the object. RefusedError (410) if the version is too old: list anew.
        """
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        for line in self._http.lines(path, self._headers, query, seconds + _PAST_THE_END):
            try:
                change = json.loads(line)
            except ValueError:
                return  # the answer broke off
            if change["type"] == "ERROR":
                error = change["object"]
                raise RefusedError(self.address, error.get("code", 500), error.get("message", ""))
            yield change["type"], change["object"]

    def served(self, api_version: str) -> Mapping[str, Resource]:
        """The kinds of `group/version` (or `v1`) that the server serves; empty if none."""
        if api_version not in self._resources:
            prefix = "apis" if "/" in api_version else "api"
            try:
                listed = self.call("GET", f"{prefix}/{api_version}")["resources"]
            except RefusedError as refusal:
                if refusal.status != 404:
                    raise
                return {}
            self._resources[api_version] = {
                r["kind"]: Resource(r["name"], r["namespaced"])
                for r in listed
                if "/" not in r["name"]
            }
        return self._resources[api_version]

    def path(
        self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None
    ) -> str:
        """The URL path of an object, or of a kind; RefusedError (404) if the kind is not served."""
        resource = self.served(api_version).get(kind)
        if resource is None:
            raise RefusedError(self.address, 404, f"{api_version} {kind} is not served here")
        parts = ["apis" if "/" in api_version else "api", api_version]
        if resource.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(resource.plural)
        if name:
            parts.append(quote(name, safe=":"))
        return "/".join(parts)

    def path_of(self, object: Object) -> str:
        metadata = object["metadata"]
        namespace = metadata.get("namespace")
        return self.path(object["apiVersion"], object["kind"], namespace, metadata["name"])

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """Return the object, or None if it does not exist or its kind is not served."""
        try:
            return self.call("GET", self.path(api_version, kind, namespace, name))
        except RefusedError as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[Object]:
        items: list[Object] = self.call("GET", self.path(api_version, kind, namespace))["items"]
        return items

    def create(self, object: Object, dry_run: bool = False, manager: str | None = None) -> Object:
        """POST with strict field validation; a dry run passes through all of admission."""
        metadata = object["metadata"]
        path = self.path(object["apiVersion"], object["kind"], metadata.get("namespace"))
        query = {**_query(dry_run), **({"fieldManager": manager} if manager else {})}
        created: Object = self.call("POST", path, object, query)
        return created

    def apply(
        self, object: Object, manager: str, dry_run: bool = False, force: bool = True
    ) -> Object:
        """Server-side apply as field manager `manager`, which takes over contested fields.

        Without `force`, contested fields raise FieldConflictError.
        """
        query = {**_query(dry_run), "fieldManager": manager, "force": str(force).lower()}
        path = self.path_of(object)
        try:
            applied: Object = past_conflicts(
                lambda: self.call("PATCH", path, object, query, "application/apply-patch+yaml")
            )
        except RefusedError as refusal:
            if mistake := _mistake(refusal):
                raise RefusedError(self.address, 422, mistake) from None
            if _is_field_conflict(refusal):
                raise FieldConflictError(self.address, refusal.status, refusal.reason) from None
            raise
        return applied

    def set_managed_fields(self, live: Object, entries: Sequence[Entry]) -> Object:
        """Change who owns the fields of `live`, and nothing else; return the new object.

        RefusedError (409) if the object has changed in the meantime.
        """
        version = live["metadata"]["resourceVersion"]
        patch = {"metadata": {"managedFields": entries, "resourceVersion": version}}
        changed: Object = self.call(
            "PATCH", self.path_of(live), patch, None, "application/merge-patch+json"
        )
        return changed

    def delete(self, api_version: str, kind: str, namespace: str | None, name: str) -> None:
        """Start the deletion; it is no error if the object is gone or its kind is not served."""
        try:
            path = self.path(api_version, kind, namespace, name)
            past_conflicts(lambda: self.call("DELETE", path, {"propagationPolicy": "Foreground"}))
        except RefusedError as refusal:
            if refusal.status != 404:
                raise

    def token(
        self, namespace: str, service_account: str, seconds: int = 600, audience: str | None = None
    ) -> str:
        """Create a token of a ServiceAccount (TokenRequest), valid for that long.

        It is for the API server unless an `audience` is named.
        """
        path = self.path("v1", "ServiceAccount", namespace, service_account) + "/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "expirationSeconds": seconds,
                **({"audiences": [audience]} if audience else {}),
            },
        }
        return str(self.call("POST", path, request)["status"]["token"])

    def who_am_i(self) -> Object:
        """The caller's `username` and `groups`, as the server knows them (SelfSubjectReview)."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "apis/authentication.k8s.io/v1/selfsubjectreviews"
        known: Object = self.call("POST", path, review)["status"]["userInfo"]
        return known

    def may(
        self, verb: str, group: str, resource: str, namespace: str | None = None, name: str = ""
    ) -> bool:
        """What the server's authorizers allow the caller (SelfSubjectAccessReview)."""
        resource, _, subresource = resource.partition("/")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace or "",
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.call("POST", "apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])


def past_conflicts(action: Callable[[], T]) -> T:
    """Return what `action` returns; retry if someone else has changed the object in the meantime.

    Raises what `action` raises; RefusedError (409) if others keep changing the object.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return action()
        except RefusedError as refusal:
            if refusal.status != 409 or _is_field_conflict(refusal):
                raise
        time.sleep(_PAUSE * attempt)
    return action()


def _load(kubeconfig: Path | None, context: str | None, configuration: Configuration) -> str | None:
    """Fill the configuration; return the context's name."""
    # The package reads KUBECONFIG once, when it is imported, and uses the last current context.
    files = str(kubeconfig or listed())
    try:
        context = context or current_context(files)
        load_kube_config(files, context, client_configuration=configuration)
        return context
    except (ConfigException, OSError) as error:
        raise KubeconfigError(" ".join(str(error).split())) from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError):
        # Its message may quote the file, including credentials.
        raise KubeconfigError("the kubeconfig is not one: wrong YAML or a wrong value") from None


@contextmanager
def _complaints() -> Generator[list[logging.LogRecord]]:
    """Collect logged errors without showing them: a plugin's message may contain a secret.

    If a credential plugin fails, the kubernetes package logs that and continues as anonymous.
    """
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append  # type: ignore[method-assign]
    logging.root.addHandler(handler)
    try:
        yield records
    finally:
        logging.root.removeHandler(handler)


def _mistake(refusal: RefusedError) -> str | None:
    """What is wrong with an applied object if the server reports an internal error.

    That is its answer to a misspelt field or a value of another type; the value is left out.
    """
    match = mistaken.match(refusal.reason) if refusal.status == 500 else None
    return match[1] if match else None


def _is_field_conflict(refusal: RefusedError) -> bool:
    return refusal.status == 409 and refusal.reason.startswith("Apply failed with ")


def _query(dry_run: bool) -> dict[str, str]:
    return {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
