"""A review for programs; docs/review.md documents each key."""

import json
from dataclasses import asdict
from typing import Any

from plain.trees import ABSENT
from tools.review.file_changes import SettingChange
from tools.review.object_changes import FieldChange
from tools.review.review import (
    CHANGES,
    NONE,
    SECOND_REVIEWER,
    Review,
)

VERSION = 1

_RESULTS = {NONE: "none", CHANGES: "changes", SECOND_REVIEWER: "second-reviewer"}


def json_report(review: Review) -> str:
    """The review as one JSON document; the same change gives the same bytes."""
    content = {
        "version": VERSION,
        "base": {"ref": review.base, "commit": review.commit},
        "stack": review.stack,
        "result": _RESULTS[review.exit_code],
        "edges": [
            {
                "action": each.action,
                "source": {**asdict(each.source), "name": each.source.shown},
                "target": {**asdict(each.target), "name": each.target.shown},
                "kind": each.kind,
                "before": list(each.before),
                "after": list(each.after),
                "reasons": [asdict(reason) for reason in each.reasons],
            }
            for each in review.edges
        ],
        "findings": [
            {
                "id": each.rule.value.id,
                "secondReviewer": each.needs_second,
                "controls": list(each.controls),
                "says": each.rule.value.says,
                "team": each.team,
                "app": each.app,
                "object": each.object,
                "detail": each.detail,
            }
            for each in review.findings
        ],
        "platformCode": {"files": list(review.code), "teams": list(review.reached)},
        "settings": [
            {**_place(each), "key": each.key, **_change(each.change)} for each in review.settings
        ],
        "objects": [
            {
                "key": each.object.key,
                "action": each.action,
                "kind": each.object.kind,
                "name": each.object.name,
                "team": each.object.team,
                "app": each.object.app,
                "changes": [_change(change) for change in each.changes],
            }
            for each in review.entries
        ],
        "protectionCompared": review.protection,
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _place(change: SettingChange) -> dict[str, Any]:
    if change.cluster:
        return {"cluster": change.cluster, "stacks": list(change.stacks)}
    return {"stack": change.stacks[0]}


def _change(change: FieldChange) -> dict[str, Any]:
    values = {"before": change.before, "after": change.after}
    return {
        "path": change.path,
        **{side: value for side, value in values.items() if value is not ABSENT},
    }
