"""Volumes in charts' spellings, as `./sre import` writes them."""

from pathlib import Path
from typing import Any

import pytest

from tests.flux_tree import VALUES, Trees, release
from tests.program import read_yaml

pytestmark = pytest.mark.commands


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


SPELLINGS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "a chart's only volume": (
        "persistence: {enabled: true, mountPath: /srv, size: 8Gi, storageClass: '', "
        "accessModes: [ReadWriteMany], existingClaim: '', annotations: {}}",
        [{"name": "data", "path": "/srv", "size": "8Gi", "accessMode": "ReadWriteMany"}],
    ),
    "by names": (
        "persistence: {cache: {enabled: false, size: 1Gi}, media: {path: /media, size: 2Gi, "
        "storageClassName: shared, accessMode: ReadWriteMany}}",
        [
            {
                "name": "media",
                "path": "/media",
                "size": "2Gi",
                "storageClass": "shared",
                "accessMode": "ReadWriteMany",
            }
        ],
    ),
}


@pytest.mark.parametrize(("values", "volumes"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_volume_is_written_and_its_data_is_not_promised(
    trees: Trees, values: str, volumes: list[dict[str, Any]]
) -> None:
    run = trees.run(release(f"{VALUES}{values}\n"))
    assert run.lost == []
    (app,) = read_yaml(run.files["team-alpha.yaml"])["apps"]
    assert app["app"]["volumes"] == volumes
    name = volumes[0]["name"]
    assert any(
        f"becomes the volume '{name}', whose claim is new and empty; copy the data" in note
        for note in run.notes
    )
    trees.team()


def test_a_volume_that_is_off_is_none(trees: Trees) -> None:
    run = trees.run(release(f"{VALUES}persistence: {{enabled: false, size: 8Gi}}\n"))
    assert run.lost == []
    (app,) = read_yaml(run.files["team-alpha.yaml"])["apps"]
    assert "volumes" not in app["app"]


@pytest.mark.parametrize(
    "values",
    [
        "persistence: {enabled: true, size: 8Gi}",
        "persistence: {enabled: true, size: 8Gi, mountPath: /srv, existingClaim: old-data}",
        "persistence: {size: 8Gi, mountPath: /srv, accessModes: [ReadWriteOnce, ReadOnlyMany]}",
    ],
)
def test_a_volume_without_a_counterpart_is_lost_as_a_whole(trees: Trees, values: str) -> None:
    run = trees.run(release(f"{VALUES}{values}\n"))
    (lost,) = run.lost
    assert "persistence: is not supported here; use `app.volumes`" in lost
