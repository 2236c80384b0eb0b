"""Kubernetes objects on an API server, made and awaited as the official provider does it."""

import threading
import time

from pulumi.runtime.rpc import UNKNOWN

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.answers import NO_VERDICT, told
from sandbox.diff import drift
from sandbox.package import Existing, Properties, ServerError, UnfinishedError
from sandbox.ready import missing

# Who owns the fields that this stack sets. An object that has no field of its is not ours.
MANAGER = "pulumi-sre-platform-dev"
POLL = 0.3  # seconds
READY_WITHIN = 300  # seconds
_SERVER = "the API server"


class RealKubernetes:
    """The objects of a cluster, of every kind that it serves."""

    def __init__(self, cluster: Cluster, cancelled: threading.Event) -> None:
        """`cancelled`: wait for nothing any more."""
        self._cluster = cluster
        self._cancelled = cancelled
        self._upsert = False

    def configure(self, settings: Properties) -> None:
        """Whether creating takes over what exists, as the official provider's option says."""
        self._upsert = settings.get("upsertExistingObjects") in (True, "true")

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Properties:
        if not _all_known(inputs):
            return inputs
        with told(_word(inputs), _SERVER):
            self._cluster.path_of(inputs)  # refused where there is no such kind
            if old is None:
                self._must_be_ours(inputs, self._get(inputs))
            try:
                live = self._cluster.apply(inputs, MANAGER, dry_run=True)
            except RefusedError as refusal:
                if refusal.status == 404:  # no such namespace: it may be made by this very run
                    return inputs
                raise
        return _outputs(live) if old else inputs

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        with told(_word(inputs), _SERVER):
            live = self._get(inputs)
            self._must_be_ours(inputs, live)
            if live and "deletionTimestamp" in live["metadata"]:
                self._until_gone(live)
        id = object_id(inputs)
        # An object that is ours already is what a run left whose answer got lost. The official
        # provider too takes no field from another manager here.
        return id, self._applied(id, inputs, force=live is None or _is_ours(live))

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        return self._applied(old.id, inputs)

    def read(self, kind: str, old: Existing) -> Existing | None:
        with told(_word(old.inputs), _SERVER):
            live = self._get(old.inputs)
            if live is None or "deletionTimestamp" in live["metadata"]:
                return None
            try:
                # What the server would make of our inputs: it writes quantities its own way.
                wanted = self._cluster.apply(old.inputs, MANAGER, dry_run=True)
            except RefusedError as refusal:
                if refusal.status in NO_VERDICT:
                    raise
                wanted = old.inputs
        seen = Existing(old.id, drift(old.inputs, wanted, live), _outputs(live))
        if unmet := missing(live):
            raise UnfinishedError(f"{_word(old.inputs)}: {unmet}", seen)
        return seen

    def delete(self, kind: str, old: Existing) -> None:
        with told(_word(old.inputs), _SERVER):
            if live := self._get(old.inputs):
                metadata = live["metadata"]
                self._cluster.delete(
                    live["apiVersion"], live["kind"], metadata.get("namespace"), metadata["name"]
                )
                self._until_gone(live)

    def left_behind(self, kind: str, inputs: Properties) -> str | None:
        """The id of what a creation cut short has left, if it has. Raises ServerError."""
        with told(_word(inputs), _SERVER):
            live = self._get(inputs)
        return object_id(inputs) if live and _is_ours(live) else None

    def _get(self, inputs: Properties) -> Object | None:
        metadata = inputs["metadata"]
        namespace = metadata.get("namespace")
        return self._cluster.get(inputs["apiVersion"], inputs["kind"], namespace, metadata["name"])

    def _must_be_ours(self, inputs: Properties, live: Object | None) -> None:
        if live and not self._upsert and not _is_ours(live):
            raise ServerError(
                f"{_word(inputs)} already exists, and this stack did not make it; delete it or "
                "choose another name, or take it over: sre-platform:adopt in the stack's config"
            )

    def _applied(self, id: str, inputs: Properties, force: bool = True) -> Properties:
        with told(_word(inputs), _SERVER, left=Existing(id, inputs, inputs)):
            live = self._cluster.apply(inputs, MANAGER, force=force)
        deadline = time.monotonic() + READY_WITHIN
        while unmet := missing(live):
            left = Existing(id, inputs, _outputs(live))
            if time.monotonic() > deadline:
                reason = f"not ready after {READY_WITHIN} s: {unmet}"
                raise UnfinishedError(f"{_word(inputs)}: {reason}", left)
            if self._cancelled.wait(POLL):
                raise UnfinishedError(f"{_word(inputs)}: not awaited any longer: {unmet}", left)
            with told(_word(inputs), _SERVER, left):
                found = self._get(inputs)
            if found is None:
                raise ServerError(f"{_word(inputs)}: somebody has deleted it")
            live = found
        return _outputs(live)

    def _until_gone(self, live: Object) -> None:
        """Raises ServerError where that takes too long."""
        deadline = time.monotonic() + READY_WITHIN
        while found := self._get(live):
            if found["metadata"]["uid"] != live["metadata"]["uid"]:
                return
            if time.monotonic() > deadline or self._cancelled.wait(POLL):
                waits = found["metadata"].get("finalizers") or (found.get("spec") or {}).get(
                    "finalizers", []
                )
                raise ServerError(
                    f"{_word(live)}: is being deleted, and waits for {', '.join(waits) or 'that'}"
                )


def object_id(inputs: Properties) -> str:
    """`namespace/name`, or the name of what has no namespace."""
    metadata = inputs["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def _word(inputs: Properties) -> str:
    return f"{inputs['kind']} {object_id(inputs)}"


def _is_ours(live: Object) -> bool:
    return any(
        entry["manager"] == MANAGER and entry["operation"] == "Apply"
        for entry in live["metadata"].get("managedFields") or ()
    )


def _outputs(live: Object) -> Properties:
    metadata = {k: v for k, v in live["metadata"].items() if k != "managedFields"}
    return {**live, "metadata": metadata}


def _all_known(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_all_known, value.values()))
    if isinstance(value, list):
        return all(map(_all_known, value))
    return value != UNKNOWN
