"""`./sre import` of kustomizations and of Flux' own: what kustomize and Flux make of them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from specs.app import WebApp
from tests.flux_tree import VALUES, Trees, manifest, place_in, release
from tests.written import ROOT
from tools.migration import building
from tools.migration.flux import Applied

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-alpha}\n"
RBAC = "rbac.authorization.k8s.io/v1"
BINDING = manifest(
    "RoleBinding",
    "roleRef: {kind: ClusterRole, name: edit}\n"
    f"subjects: [{{apiGroup: {RBAC.partition('/')[0]}, kind: Group, name: everybody}}]\n",
    name="team-alpha-developers",
    api=RBAC,
)
QUOTA = manifest("ResourceQuota", "spec: {hard: {pods: '20', services: '10'}}\n", name="q")
BASE = {
    "base/kustomization.yaml": "resources: [namespace.yaml, quota.yaml, rbac.yaml, release.yaml]\n",
    "base/namespace.yaml": NAMESPACE,
    "base/quota.yaml": QUOTA,
    "base/rbac.yaml": BINDING,
    "base/release.yaml": release(),
}


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


def overlay(text: str, **files: str) -> dict[str, str]:
    """The base, and `apps`, which is built from it."""
    named = {f"apps/{name.replace('__', '.')}": content for name, content in files.items()}
    return {**BASE, "apps/kustomization.yaml": f"resources: [../base]\n{text}", **named}


PODS = (
    "kind: ResourceQuota\nmetadata: {name: q, namespace: team-alpha}\nspec: {hard: {pods: '45'}}\n"
)
MERGE = f"apiVersion: v1\n{PODS}"
REPLACE = "- {op: replace, path: /spec/hard/pods, value: '45'}"
TARGET = "target: {kind: ResourceQuota}"


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


WAYS = {
    "patches, by file": overlay("patches: [{path: p.yaml}]\n", p__yaml=MERGE),
    "patches, inline": overlay(f"patches:\n- patch: |\n{indented(MERGE, 4)}"),
    "patches, by target": overlay(
        f"patches: [{{path: p.yaml, {TARGET}}}]\n", p__yaml=MERGE.replace("name: q", "name: any")
    ),
    "patches, JSON6902": overlay(f'patches: [{{patch: "{REPLACE}", {TARGET}}}]\n'),
    "patches, JSON6902 by file": overlay(
        f"patches: [{{path: p.yaml, {TARGET}}}]\n", p__yaml=REPLACE
    ),
    "patchesStrategicMerge": overlay("patchesStrategicMerge: [p.yaml]\n", p__yaml=MERGE),
    "patchesStrategicMerge, inline": overlay(f"patchesStrategicMerge:\n- |-\n{indented(MERGE, 2)}"),
    "patchesJson6902": overlay(
        "patchesJson6902:\n- {path: p.yaml, target: {version: v1, kind: ResourceQuota, name: q}}\n",
        p__yaml=REPLACE,
    ),
    "a component": {
        **overlay("components: [../more]\n"),
        "more/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "patches: [{path: p.yaml}]\n",
        "more/p.yaml": MERGE,
    },
    "replacements": overlay(
        "configMapGenerator: [{name: sizes, literals: [pods=45]}]\nreplacements:\n"
        "- source: {kind: ConfigMap, name: sizes, fieldPath: data.pods}\n"
        "  targets: [{select: {kind: ResourceQuota}, fieldPaths: [spec.hard.pods]}]\n"
    ),
}


@pytest.mark.commands
@pytest.mark.parametrize("files", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("path", ["apps", "."])
def test_an_overlay_counts_and_its_base_is_not_imported_by_itself(
    files: Mapping[str, str], path: str, trees: Trees
) -> None:
    trees.write(files)
    run = trees.run_on(path, "--partial")
    assert run.code == 0
    assert trees.team().quota.pods == 45
    assert not [line for line in run.lost if "quota" in line]
    assert not [note for note in run.notes if "does not name this file" in note]


@pytest.mark.commands
def test_a_subject_that_an_overlay_replaced_is_never_written(trees: Trees) -> None:
    patch = BINDING.replace("everybody", "leads").replace(
        "ClusterRole, name: edit", "ClusterRole, name: edit, apiGroup: rbac.authorization.k8s.io"
    )
    trees.run(overlay("patches: [{path: p.yaml}]\n", p__yaml=patch), "--partial")
    assert trees.team().developers == ("leads",)
    assert "everybody" not in (trees.tenants / "team-alpha.yaml").read_text()


PLACES = {
    "in a patch by file": overlay(
        "patches: [{path: p.yaml}]\n", p__yaml=MERGE.replace("pods: '45'", "count/jobs.batch: «'5'")
    ),
    "in a patch inline": overlay(
        f"patches:\n- patch: |\n{indented(MERGE, 4)}".replace(
            "pods: '45'", "count/jobs.batch: «'5'"
        )
    ),
    "where a JSON patch is": overlay(
        "patches:\n- patch: «\"- {op: add, path: /spec/hard/count~1jobs.batch, value: '5'}\"\n"
        f"  {TARGET}\n"
    ),
    "in the base, of what no patch changes": {
        **overlay("patches: [{path: p.yaml}]\n", p__yaml=MERGE),
        "base/quota.yaml": QUOTA.replace("{pods", "{count/jobs.batch: «'5', pods"),
    },
}


@pytest.mark.commands
@pytest.mark.parametrize("files", PLACES.values(), ids=PLACES)
def test_a_loss_is_reported_where_it_is_written(files: Mapping[str, str], trees: Trees) -> None:
    plain, place = place_in(files)
    trees.write(plain)
    run = trees.run_on("apps", "--partial")
    (line,) = [line for line in run.lost if "is not a key of `quota`" in line]
    file, row, _ = place.split(":")
    assert line.startswith(f"{file}:{row}:")


@pytest.mark.commands
def test_names_namespaces_and_labels_are_as_kustomize_gives_them(trees: Trees) -> None:
    files = {
        "apps/kustomization.yaml": "namespace: team-alpha\nnamePrefix: eu-\nnameSuffix: '-1'\n"
        "labels: [{pairs: {sre.io/team: team-alpha}}]\nresources: [n.yaml, r.yaml]\n",
        "apps/n.yaml": NAMESPACE.replace("team-alpha", "template"),
        "apps/r.yaml": release().replace("  namespace: team-alpha\n", ""),
    }
    run = trees.run(files)
    assert (run.code, run.lost) == (0, [])
    (live,) = run.live
    assert live.startswith("apps/r.yaml:4:9: metadata.name: runs as 'eu-my-api-1-my-api' today ")


@pytest.mark.commands
def test_a_release_that_a_patch_changes_keeps_its_other_values(trees: Trees) -> None:
    values = VALUES + "  port: 8080\n  replicas: 3\n"
    patch = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        "metadata: {name: my-api, namespace: team-alpha}\n"
        "spec: {values: {app: {image: {tag: v2}, port: 9090}}}\n"
    )
    files = {
        **overlay("patches: [{path: p.yaml}]\n", p__yaml=patch),
        "base/release.yaml": release(values),
    }
    run = trees.run(files)
    assert (run.code, run.lost) == (0, [])
    text = run.files["team-alpha.yaml"]
    assert "tag: v2" in text
    assert "port: 9090" in text
    assert text.index("name: my-api") < text.index("image:") < text.index("replicas: 3")


@pytest.mark.commands
def test_two_overlays_of_one_team_are_reported_and_another_team_is_written(trees: Trees) -> None:
    other = release().replace("team-alpha", "team-zeta")
    files = {
        **{f"apps/{name}": text for name, text in BASE.items()},
        "apps/dev/kustomization.yaml": "resources: [../base]\n",
        "apps/prod/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n",
        "apps/prod/p.yaml": MERGE,
        "apps/zeta/r.yaml": other,
    }
    run = trees.run(files, "--partial")
    assert (run.code, list(run.files)) == (0, ["team-zeta.yaml"])
    assert run.lost == [
        "apps/prod/kustomization.yaml:1:1: (file): apps/dev/kustomization.yaml creates "
        "ResourceQuota 'q' of 'team-alpha' differently; import only one of the two"
    ]


REFUSED = {
    "an address": (
        "resources: [../base, «https://example.com/x.yaml]\n",
        "is remote",
    ),
    "a repository": ("resources: [../base, «github.com/a/b]\n", "is remote"),
    "a repository by ssh": (
        "resources: [../base, «git@example.com:a/b.git]\n",
        "is remote",
    ),
    "a version of a repository": (
        "resources: [../base, «x/y?ref=v1]\n",
        "is remote",
    ),
    "a generated Secret": (
        "«secretGenerator: [{name: s, literals: [a=hunter2]}]\n",
        "makes Secrets; ",
    ),
    "a chart": ("«helmCharts: [{name: x, repo: 'https://example.com'}]\n", "renders charts, "),
    "a generator": ("«generators: [g.yaml]\n", "runs plugins, "),
    "a validator": ("«validators: [v.yaml]\n", "runs plugins, "),
    "a folder without a kustomization": (
        "resources: [../base, «../loose]\n",
        "is a folder without ",
    ),
}


@pytest.mark.commands
@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_fetched_or_run_is_left_out_and_reported(
    text: str, said: str, trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    kustomization = text if "resources" in text else f"resources: [../base]\n{text}"
    files = {**BASE, "apps/kustomization.yaml": kustomization, "loose/x.yaml": "a: b\n"}
    plain, place = place_in(files)
    trees.write(plain)
    run = trees.run_on("apps", "--partial")
    (line,) = [line for line in run.lost if line.startswith(f"{place}: ")]
    assert f": {said}" in line
    assert trees.team().quota.pods == 20
    assert "hunter2" not in "\n".join(run.lines)


BROKEN = {
    "a patch from elsewhere": (
        "patches: [{path: «https://example.com/p.yaml}]\n",
        "is remote, ",
    ),
    "a patch that is not here": (
        "patches: [{path: «gone.yaml}]\n",
        "is not in the imported files; ",
    ),
    "a patch outside": ("patches: [{path: «../loose/p.yaml}]\n", "is a file outside "),
    "a patch by a link": ("patches: [{path: «link.yaml}]\n", "goes through a symbolic link"),
    "a component from elsewhere": (
        "components: [«https://example.com/a/b]\n",
        "is remote, ",
    ),
    "transformers": ("«transformers: [t.yaml]\n", "runs plugins, "),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_without_a_patch_nothing_of_the_overlay_is_written(
    text: str, said: str, trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> str:
        raise AssertionError("kustomize runs")

    monkeypatch.setattr(building, "_run", never)
    plain, place = place_in({**overlay(text), "loose/p.yaml": MERGE})
    trees.write(plain)
    if "link" in text:
        (trees.folder / "apps/link.yaml").symlink_to("../loose/p.yaml")
    run = trees.run_on("apps", "--partial")
    assert (run.code, run.files) == (1, {})
    (line,) = [line for line in run.lost if line.startswith(f"{place}: ")]
    assert f": {said}" in line


@pytest.mark.parametrize(
    "text",
    ["resources: [../base\n", "", "resources: [../base]\n---\nresources: []\n", "[x]\n"],
)
def test_nothing_of_a_folder_whose_kustomization_cannot_be_read_is_imported(
    text: str, trees: Trees
) -> None:
    """Who knows which of its files are patches?"""
    files = {"apps/kustomization.yaml": text, "apps/p.yaml": MERGE, "apps/r.yaml": release()}
    run = trees.run(files, "--partial")
    assert (run.code, run.files) == (1, {})
    assert run.lost[0].startswith("apps/kustomization.yaml:")


def test_a_linked_kustomization_is_reported_and_nothing_beside_it_imported(trees: Trees) -> None:
    trees.write({"apps/p.yaml": MERGE, "apps/r.yaml": release(), "k.yaml": "resources: [r.yaml]\n"})
    (trees.folder / "apps/kustomization.yaml").symlink_to("../k.yaml")
    run = trees.run_on("apps", "--partial")
    assert (run.code, run.files) == (1, {})
    assert run.lost[0].startswith("apps/kustomization.yaml:1:1: (file): is a symbolic link, ")


@pytest.mark.commands
def test_a_folder_that_is_named_like_an_address_is_not_fetched(trees: Trees) -> None:
    files = {
        "apps/kustomization.yaml": "resources: ['https://x/y', r.yaml]\n",
        "apps/r.yaml": release(),
    }
    trees.write({**files, "apps/https:/x/y/kustomization.yaml": "resources: []\n"})
    run = trees.run_on("apps/kustomization.yaml", "apps/r.yaml")
    assert ["is remote" in line for line in run.lost] == [True]


@pytest.mark.commands
def test_what_kustomize_refuses_is_one_line_without_what_it_quotes(trees: Trees) -> None:
    patch = "apiVersion: v1\\nkind: [Secret\\nstringData: {password: hunter2}\\n"
    run = trees.run(overlay(f'patches: [{{patch: "{patch}"}}]\n'))
    assert (run.code, run.files) == (1, {})
    said = "apps/kustomization.yaml:1:1: (file): kustomize cannot build it: "
    assert [line.startswith(said) for line in run.lost] == [True, False]
    assert "hunter2" not in "\n".join(run.lines)


FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: tenants, namespace: flux-system}
spec:
  interval: 10m
  path: ./tenants/alpha
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def applied(spec: str, **files: str) -> dict[str, str]:
    """A repository in which Flux applies tenants/alpha, with `spec` in addition."""
    return {
        "repo/.git/HEAD": "ref: refs/heads/main\n",
        "repo/clusters/prod/tenants.yaml": FLUX + indented(spec, 2),
        **{
            f"repo/tenants/alpha/{name.replace('__', '.')}": text
            for name, text in {"n__yaml": NAMESPACE, "q__yaml": QUOTA, **files}.items()
        },
    }


IN_FLUX = {
    "a patch": f"patches:\n- patch: |\n{indented(MERGE, 4)}",
    "a JSON patch": f'patches: [{{patch: "{REPLACE}", {TARGET}}}]\n',
    "a component": "components: [../../more]\n",
}


@pytest.mark.commands
@pytest.mark.parametrize("spec", IN_FLUX.values(), ids=IN_FLUX)
def test_what_fluxs_kustomization_changes_counts(spec: str, trees: Trees) -> None:
    more = {
        "repo/more/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
        "kind: Component\npatches: [{path: p.yaml}]\n",
        "repo/more/p.yaml": MERGE,
    }
    trees.write({**applied(spec), **more})
    run = trees.run_on("repo")
    assert (run.code, run.lost) == (0, [])
    assert trees.team().quota.pods == 45


@pytest.mark.commands
def test_flux_gives_a_namespace_and_names(trees: Trees) -> None:
    text = release().replace("  namespace: team-alpha\n", "")
    spec = (
        "targetNamespace: team-alpha\nnamePrefix: eu-\n"
        "commonMetadata: {labels: {sre.io/team: team-alpha}}\n"
    )
    trees.write(applied(spec, r__yaml=text, n__yaml="# none\n", q__yaml="# none\n"))
    run = trees.run_on("repo")
    assert (run.code, run.lost) == (0, [])
    assert "runs as 'eu-my-api-my-api' today" in run.live[0]


@pytest.mark.commands
@pytest.mark.parametrize(
    ("typed", "pods"),
    [("${PODS}", 7), ("${PODS:=9}", 7), ("${NONE:=9}", 9), ("${NONE:-9}", 9), ("${NONE=9}", 9),
     ("${FROM_MAP}", 5), ("${BOTH}", 8)],
)  # fmt: skip
def test_flux_substitutes_variables(typed: str, pods: int, trees: Trees) -> None:
    spec = (
        "postBuild:\n  substitute: {PODS: '7', BOTH: '8'}\n"
        "  substituteFrom: [{kind: ConfigMap, name: sizes}]\n"
    )
    sizes = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sizes, namespace: flux-system}\n"
    files = applied(spec, q__yaml=QUOTA.replace("'20'", f'"{typed}"'))
    trees.write(
        {**files, "repo/clusters/prod/v.yaml": f"{sizes}data: {{FROM_MAP: '5', BOTH: '1'}}\n"}
    )
    run = trees.run_on("repo")
    assert (run.code, run.lost) == (0, [])
    assert trees.team().quota.pods == pods


@pytest.mark.commands
@pytest.mark.parametrize(
    ("source", "typed", "said"),
    [
        ("{kind: Secret, name: sizes}", "${PODS}", "may come from Secret 'sizes'"),
        (
            "{kind: Secret, name: sizes, optional: true}",
            "${PODS:=9}",
            "may come from Secret 'sizes'",
        ),
        ("{kind: ConfigMap, name: gone}", "${PODS}", "may come from ConfigMap 'gone'"),
        (
            "{kind: Secret, name: sizes}",
            "${SET^^}",
            "a form of ${...} that an import does not read",
        ),
    ],
)
def test_only_an_object_with_an_unknown_value_is_refused(
    source: str, typed: str, said: str, trees: Trees
) -> None:
    spec = f"postBuild:\n  substitute: {{SET: 'a'}}\n  substituteFrom: [{source}]\n"
    files = applied(spec, q__yaml=QUOTA.replace("'20'", f'"{typed}"'), r__yaml=release())
    trees.write(files)
    run = trees.run_on("repo", "--partial")
    (line,) = run.lost
    assert line.startswith("repo/tenants/alpha/q.yaml:6:21: spec.hard.pods: Flux substitutes ")
    assert said in line
    team = trees.team()
    assert [app.name for app in team.apps] == ["my-api"]
    assert team.quota.pods == 20


@pytest.mark.commands
def test_without_post_build_flux_substitutes_nothing(trees: Trees) -> None:
    command = "  command: [sh, -c, 'echo ${HOME}']\n"
    trees.write(applied("", r__yaml=release(VALUES + command, chart="sre-worker")))
    run = trees.run_on("repo")
    assert (run.code, run.lost) == (0, [])
    assert "command: [sh, -c, 'echo ${HOME}']\n" in run.files["team-alpha.yaml"]


@pytest.mark.commands
def test_what_flux_applies_may_be_changed_by_what_it_applies_itself(trees: Trees) -> None:
    files = applied("", q__yaml=QUOTA.replace("'20'", '"${pods}"'))
    above = FLUX.replace("name: tenants", "name: flux-system").replace("tenants/alpha", "clusters")
    patch = "- {op: add, path: /spec/postBuild, value: {substitute: {pods: '33'}}}"
    kustomization = (
        "resources: [tenants.yaml, sync.yaml]\n"
        f'patches: [{{patch: "{patch}", target: {{kind: Kustomization, name: tenants}}}}]\n'
    )
    trees.write(
        {
            **files,
            "repo/clusters/prod/sync.yaml": above.replace("./clusters", "./clusters/prod"),
            "repo/clusters/prod/kustomization.yaml": kustomization,
        }
    )
    run = trees.run_on("repo")
    assert (run.code, run.lost) == (0, [])
    assert trees.team().quota.pods == 33


def test_each_folder_that_flux_applies_is_looked_for_once(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done per pair of Kustomizations takes minutes in a tree of some hundreds."""
    asked: list[str] = []
    folder = Applied.folder

    def counted(applied: Applied) -> Path | None:
        asked.append(applied.manifest.name)
        return folder(applied)

    monkeypatch.setattr(Applied, "folder", counted)
    names = [f"x{number}" for number in range(5)]
    trees.write({f"repo/tenants/{name}/q.yaml": QUOTA for name in names})
    for name in names:
        text = FLUX.replace("name: tenants", f"name: {name}")
        text = text.replace("tenants/alpha", f"gone/{name}")
        trees.write({f"repo/clusters/prod/{name}.yaml": text})
    trees.run_on("repo")
    assert sorted(asked) == names


def test_a_kustomization_whose_folder_is_not_named_is_noted(trees: Trees) -> None:
    trees.write(applied("", r__yaml=release()))
    trees.write({"repo/apps/r.yaml": release()})
    run = trees.run_on("repo/apps", "repo/clusters")
    assert run.notes == [
        "repo/clusters/prod/tenants.yaml:6:9: spec.path: './tenants/alpha' is not in the files; "
        "nothing of it is imported"
    ]


def test_a_tree_without_a_kustomization_needs_no_kustomize(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> dict[str, Path]:
        raise AssertionError("kustomize is looked for")

    monkeypatch.setattr(building, "find", none)
    assert trees.run(release()).code == 0


PLATFORM = ROOT / "tests/flux/platform"


@pytest.fixture
def platform(trees: Trees) -> Trees:
    shutil.copytree(PLATFORM, trees.folder / "repo")
    return trees


@pytest.mark.commands
def test_a_platforms_tree_is_imported_whole_as_flux_applies_it(platform: Trees) -> None:
    """A base with patches, charts by folder, variables, a release that is not named as its app."""
    run = platform.run_on("repo")
    assert (run.code, run.lost) == (0, [])
    rose, sage = platform.team("team-rose"), platform.team("team-sage")
    assert (rose.developers, rose.viewers) == (("rose-engineers",), ("team-rose-viewers",))
    assert sage.developers == ("team-sage-developers",)
    assert (rose.quota.pods, sage.quota.pods) == (45, 20)
    mailer, shop = rose.apps
    assert (mailer.name, mailer.network_policy.enabled) == ("mailer", False)
    assert isinstance(shop, WebApp)
    assert shop.ingress.host == "shop.apps.sre.example.com"
    at = "repo/apps/tenants/team-rose/apps"
    assert [line.partition(" (")[0] for line in run.live] == [
        f"{at}/mailer.yaml:4:9: metadata.name: runs as 'mailer-prod-mailer' today",
        f"{at}/shop.yaml:4:9: metadata.name: runs as 'shop-shop' today",
    ]
    (said,) = [line for line in run.live if "shop.yaml" in line]
    assert "callers then use shop.team-rose instead of shop-shop.team-rose" in said


@pytest.mark.commands
def test_a_single_team_of_that_tree_lacks_what_flux_substitutes(platform: Trees) -> None:
    run = platform.run_on("repo/apps/tenants/team-rose", "--partial")
    assert [line.partition(": ")[0] for line in run.lost] == [
        "repo/apps/tenants/team-rose/apps/shop.yaml:25:13",
        "repo/apps/tenants/team-rose/quota.yaml:7:11",
    ]
    team = platform.team("team-rose")
    assert [app.name for app in team.apps] == ["mailer", "shop"]
    assert team.quota.pods == 20


@pytest.mark.commands
def test_a_patch_that_is_not_named_and_has_no_namespace_changes_nothing(trees: Trees) -> None:
    patch = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: '3'}}\n"
    run = trees.run(
        {
            "apps/kustomization.yaml": "namespace: team-alpha\nnamePrefix: p-\n"
            "resources: [q.yaml, n.yaml]\n",
            "apps/n.yaml": NAMESPACE,
            "apps/q.yaml": QUOTA,
            "apps/former.yaml": patch,
        }
    )
    assert run.lost == []
    assert ["it is left out" in note for note in run.notes if "former.yaml" in note] == [True]
    assert trees.team().quota.pods == 20


@pytest.mark.commands
def test_a_component_that_flux_adds_is_used(trees: Trees) -> None:
    component = f'kind: Component\npatches: [{{patch: "{REPLACE}", {TARGET}}}]\n'
    spec = "path: ./apps/alpha\ncomponents: [../../more]\n"
    head = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    trees.write(
        {
            "repo/.git/HEAD": "",
            "repo/k.yaml": f"{head}metadata: {{name: x}}\nspec:\n{indented(spec, 2)}",
            "repo/more/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
            + component,
            "repo/apps/alpha/n.yaml": NAMESPACE,
            "repo/apps/alpha/q.yaml": QUOTA,
        }
    )
    run = trees.run_on("repo")
    assert not any("nothing here uses" in line for line in run.lines)
    assert trees.team().quota.pods == 45


@pytest.mark.commands
def test_invalid_labels_do_not_crash_common_metadata(trees: Trees) -> None:
    head = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    spec = "path: ./apps\ncommonMetadata: {labels: {team: x}}\n"
    trees.write(
        {
            "repo/.git/HEAD": "",
            "repo/k.yaml": f"{head}metadata: {{name: x}}\nspec:\n{indented(spec, 2)}",
            "repo/apps/n.yaml": NAMESPACE.replace("{name: team-alpha}", "{name: a, labels: 1.5}"),
        }
    )
    assert trees.run_on("repo").code == 1
