"""Kubernetes objects on an API server, created and awaited as the official provider does it."""

import threading
import time

from pulumi.runtime.rpc import UNKNOWN

from binaries.console import say
from clients.http import RefusedError, UnreachableError
from clients.kubernetes import Cluster, FieldConflictError, Object, past_conflicts
from sandbox import field_managers
from sandbox.answers import NO_VERDICT, reporting
from sandbox.diff import drift
from sandbox.package import Existing, Properties, ServerError, UnfinishedError
from sandbox.ready import held_up, missing
from specs.selectors import matches

PATCH_FORCE = "pulumi.com/patchForce"
POLL = 0.3  # seconds
_POSTS = 5  # of an object, before a refusal counts
READY_WITHIN = 300  # seconds
SILENT_FOR = 15  # seconds, in which most objects become ready
_SAYS_EVERY = 60  # seconds
_SERVER = "the API server"


class RealKubernetes:
    """The objects of a cluster, of every kind that it serves."""

    def __init__(self, cluster: Cluster, cancelled: threading.Event) -> None:
        """`cancelled`: no longer wait for anything."""
        self._cluster = cluster
        self._cancelled = cancelled
        self._upsert = False
        self._force = False

    def configure(self, settings: Properties) -> None:
        """The official provider's options.

        Whether creating takes over existing objects, and whether an update takes fields from other
        field managers.
        """
        self._upsert = settings.get("upsertExistingObjects") in (True, "true")
        self._force = settings.get("enablePatchForce") in (True, "true")

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Properties:
        if not _all_known(inputs):
            return inputs
        manager = _manager(kind, inputs, old)
        with reporting(_word(inputs), _SERVER):
            self._cluster.path_of(inputs)  # refused if the kind does not exist
            live = self._get(inputs)
            if old is None:
                self._must_be_ours(inputs, live, manager)
            try:
                if live is None and not self._upsert:
                    after = self._cluster.create(inputs, dry_run=True, manager=manager)
                else:
                    # Before the first update of an object, its fields are taken over.
                    posted = live is None or field_managers.has_posted(live, manager)
                    force = posted or self._forces(inputs)
                    after = self._apply(inputs, manager, force, dry_run=True)
            except RefusedError as refusal:
                if refusal.status == 404:  # no such namespace: this very run may create it
                    return inputs
                raise
        return field_managers.recorded(after, manager) if old else inputs

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        id, manager = object_id(inputs), _manager(kind, inputs)
        with reporting(_word(inputs), _SERVER):
            live = self._get(inputs)
            self._must_be_ours(inputs, live, manager)
            if live and "deletionTimestamp" in live["metadata"]:
                self._until_gone(live)
                live = None
        left = Existing(id, inputs, field_managers.recorded(inputs, manager))
        with reporting(_word(inputs), _SERVER, left):
            if live or self._upsert:
                made = self._apply(inputs, manager, self._forces(inputs))
            else:
                made = self._posted(inputs, manager)
        return id, self._awaited(left, made, manager)

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        manager = _manager(kind, inputs, old)
        with reporting(_word(inputs), _SERVER):
            self._take_over_fields(inputs, manager)
        left = Existing(old.id, inputs, field_managers.recorded(inputs, manager))
        with reporting(_word(inputs), _SERVER, left):
            made = self._apply(inputs, manager, self._forces(inputs))
        return self._awaited(left, made, manager)

    def read(self, kind: str, old: Existing) -> Existing | None:
        manager = _manager(kind, old.inputs, old)
        with reporting(_word(old.inputs), _SERVER):
            live = self._get(old.inputs)
            if live is None or "deletionTimestamp" in live["metadata"]:
                return None
            try:
                # The server's form of the inputs: it writes quantities its own way.
                wanted = self._cluster.apply(old.inputs, manager, dry_run=True)
            except RefusedError as refusal:
                if refusal.status in NO_VERDICT:
                    raise
                wanted = old.inputs
        outputs = field_managers.recorded(live, manager)
        seen = Existing(old.id, drift(old.inputs, wanted, live), outputs)
        if unmet := missing(live):
            why = self._why(unmet, live, seen)
            raise UnfinishedError(f"{_word(old.inputs)}: {why}", seen)
        return seen

    def delete(self, kind: str, old: Existing) -> None:
        with reporting(_word(old.inputs), _SERVER):
            if live := self._get(old.inputs):
                metadata = live["metadata"]
                self._cluster.delete(
                    live["apiVersion"], live["kind"], metadata.get("namespace"), metadata["name"]
                )
                self._until_gone(live)

    def left_behind(self, kind: str, inputs: Properties) -> str | None:
        """The ID of the object that an interrupted creation left, if it did. Raises ServerError."""
        with reporting(_word(inputs), _SERVER):
            live = self._get(inputs)
        ours = live and field_managers.has_written(live, _manager(kind, inputs))
        return object_id(inputs) if ours else None

    def _get(self, inputs: Properties) -> Object | None:
        metadata = inputs["metadata"]
        namespace = metadata.get("namespace")
        return self._cluster.get(inputs["apiVersion"], inputs["kind"], namespace, metadata["name"])

    def _must_be_ours(self, inputs: Properties, live: Object | None, manager: str) -> None:
        if live and not self._upsert and not field_managers.has_written(live, manager):
            raise ServerError(
                f"{_word(inputs)} already exists, but this stack did not create it; delete it or "
                "choose another name, or take it over: sre-platform:adopt in the stack's config"
            )

    def _forces(self, inputs: Properties) -> bool:
        annotations = inputs["metadata"].get("annotations") or {}
        return self._force or annotations.get(PATCH_FORCE) == "true"

    def _posted(self, inputs: Properties, manager: str) -> Object:
        """The object, made by one of several tries: it has a name, so that no two can be made."""
        for attempt in range(_POSTS):
            try:
                return self._cluster.create(inputs, manager=manager)
            except RefusedError as refusal:
                if refusal.status not in NO_VERDICT:
                    raise
            except UnreachableError:
                pass
            if self._cancelled.wait(POLL * attempt):
                break
            live = self._get(inputs)
            if live and field_managers.has_written(live, manager):
                return live
        return self._cluster.create(inputs, manager=manager)

    def _take_over_fields(self, inputs: Properties, manager: str) -> None:
        """What was posted, and what people have set with kubectl, becomes what was applied."""

        def take_over() -> None:
            live = self._get(inputs)
            entries = field_managers.with_taken_over(live, manager) if live else None
            if live and entries is not None:
                self._cluster.set_managed_fields(live, entries)

        past_conflicts(take_over)

    def _apply(
        self, inputs: Properties, manager: str, force: bool, dry_run: bool = False
    ) -> Object:
        try:
            return self._cluster.apply(inputs, manager, dry_run, force)
        except FieldConflictError as conflict:
            raise ServerError(
                f"{_word(inputs)}: the field manager {manager!r} had an apply conflict: "
                f"{conflict.reason}"
            ) from None

    def _awaited(self, left: Existing, live: Object, manager: str) -> Properties:
        """The outputs, once the object is ready."""
        id, inputs, _ = left
        began = time.monotonic()
        says_at = began + SILENT_FOR
        while unmet := missing(live):
            left = Existing(id, inputs, field_managers.recorded(live, manager))
            if time.monotonic() > began + READY_WITHIN:
                why = self._why(unmet, live, left)
                reason = f"not ready after {READY_WITHIN} s: {why}"
                raise UnfinishedError(f"{_word(inputs)}: {reason}", left)
            if time.monotonic() > says_at:
                say(f"Waiting for {_word(inputs)}: {self._why(unmet, live, left)}")
                says_at += _SAYS_EVERY
            if self._cancelled.wait(POLL):
                why = self._why(unmet, live, left)
                raise UnfinishedError(f"{_word(inputs)}: no longer awaited: {why}", left)
            with reporting(_word(inputs), _SERVER, left):
                found = self._get(inputs)
            if found is None:
                raise ServerError(f"{_word(inputs)}: was deleted by someone else")
            live = found
        return field_managers.recorded(live, manager)

    def _why(self, unmet: str, live: Object, left: Existing) -> str:
        """What is unmet, and what its pods say about that."""
        if live["kind"] != "Deployment":
            return unmet
        with reporting(_word(live), _SERVER, left):
            listed = self._cluster.list("v1", "Pod", live["metadata"]["namespace"])
        selector = live["spec"]["selector"]
        own = [pod for pod in listed if matches(selector, pod["metadata"].get("labels") or {})]
        return "; ".join([unmet, *held_up(own)])

    def _until_gone(self, live: Object) -> None:
        """Raise ServerError if that takes too long."""
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
    """`namespace/name`, or only the name if there is no namespace."""
    metadata = inputs["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def _word(inputs: Properties) -> str:
    return f"{inputs['kind']} {object_id(inputs)}"


def _manager(kind: str, inputs: Properties, old: Existing | None = None) -> str:
    return field_managers.name_of(kind, object_id(inputs), old.outputs if old else {})


def _all_known(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_all_known, value.values()))
    if isinstance(value, list):
        return all(map(_all_known, value))
    return value != UNKNOWN
