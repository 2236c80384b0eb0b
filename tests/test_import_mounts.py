"""Volumes of charts' values that become paths to write to, files and secrets' files."""

from pathlib import Path

import pytest

from tests.flux_tree import VALUES, Trees, manifest, release
from tests.written import place, rows

pytestmark = pytest.mark.commands


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


MOUNTS = """\
extraVolumes:
  - {name: tmp, emptyDir: {}}
  - {name: cache, emptyDir: {sizeLimit: 1Gi}}
  - name: tls
    secret: {secretName: shop-tls, defaultMode: 256, items: [{key: tls.crt, path: tls.crt}]}
  - {name: settings, configMap: {name: x}}
extraVolumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: cache, mountPath: /var/cache}
  - {name: tls, mountPath: /etc/tls, readOnly: true}
  - {name: settings, mountPath: /etc/shop}
  - {name: settings, mountPath: /etc/other.conf, subPath: b.conf}
"""
SETTINGS = manifest("ConfigMap", 'data:\n  a.conf: |\n    level: info\n    x: "1"\n  b.conf: b\n')


def test_mounts_become_what_they_are(trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(VALUES + MOUNTS), "apps/x.yaml": SETTINGS})
    assert (run.lost, run.notes) == ([], [])
    container = trees.team().apps[0].app
    assert [(each.path, str(each.size_limit)) for each in container.writable_paths] == [
        ("/tmp", "64Mi"),
        ("/var/cache", "1Gi"),
    ]
    assert [(each.path, each.secret_ref, each.keys) for each in container.secret_files] == [
        ("/etc/tls", "shop-tls", ("tls.crt",))
    ]
    assert [(each.path, each.content) for each in container.files] == [
        ("/etc/shop/a.conf", 'level: info\nx: "1"\n'),
        ("/etc/shop/b.conf", "b"),
        ("/etc/other.conf", "b"),
    ]


@rows(
    {
        "a secret of which no key is named": (
            "«extraVolumes: [{name: a, secret: {secretName: x}}]\n"
            "extraVolumeMounts: [{name: a, mountPath: /a}]\n",
            "spec.values.extraVolumes: is not supported here; use `app.volumes`",
        ),
        "a ConfigMap that is not among the files": (
            "«extraVolumes: [{name: a, configMap: {name: y}}]\n"
            "extraVolumeMounts: [{name: a, mountPath: /a}]\n",
            "spec.values.extraVolumes: is not supported here; use `app.volumes`",
        ),
        "a key that the ConfigMap does not have": (
            "«extraVolumes: [{name: a, configMap: {name: x}}]\n"
            "extraVolumeMounts: [{name: a, mountPath: /a, subPath: c.conf}]\n",
            "spec.values.extraVolumes: is not supported here; use `app.volumes`",
        ),
        "a folder of the node": (
            "«extraVolumes: [{name: a, hostPath: {path: /}}]\n"
            "extraVolumeMounts: [{name: a, mountPath: /a}]\n",
            "spec.values.extraVolumes: is not supported here; use `app.volumes`",
        ),
    }
)
def test_what_has_no_counterpart_is_lost(trees: Trees, text: str, said: str) -> None:
    values, where = place(release(VALUES + text))
    run = trees.run({"apps/a.yaml": values, "apps/x.yaml": SETTINGS}, "--partial")
    assert [line for line in run.lost if line.startswith(f"apps/a.yaml:{where}: {said}")]


@pytest.mark.parametrize("items", ["", "x", "3", ".inf", "[x]", "[[]]", "[{key: [a], path: [a]}]"])
@pytest.mark.parametrize("source", ["secret: {secretName: s", "configMap: {name: x"])
def test_items_that_are_none_lose_the_mount(trees: Trees, source: str, items: str) -> None:
    volumes = f"extraVolumes: [{{name: a, {source}, items: {items}}}}}]\n"
    mounts = "extraVolumeMounts: [{name: a, mountPath: /x}]\n"
    files = {"apps/a.yaml": release(VALUES + volumes + mounts), "apps/x.yaml": SETTINGS}
    trees.run(files, "--partial")
    assert trees.team().apps[0].app.secret_files == ()
