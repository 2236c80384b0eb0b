"""`./sre import` as its users run it: what it writes, and what it refuses to lose."""

import errno
import shutil
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml

from cli.__main__ import main
from specs.app import BaseApp, WebApp
from specs.load import load_team
from specs.network import EgressRule
from specs.team import Team
from tests.conftest import Program
from tests.flux_tree import GUIDE, VALUES, Trees, manifest, release
from tests.program import SERVICE_ENTRY, TEAMS, Made, as_yaml, read_yaml
from tests.written import ROOT, dev_settings

pytestmark = pytest.mark.commands


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


def shipped(file: Path) -> Team:
    loaded = load_team(file, file.name, dev_settings())
    assert loaded.team
    return loaded.team


def test_the_guides_tree_becomes_a_file_with_its_values_unchanged(trees: Trees) -> None:
    run = trees.run_on(str(GUIDE))
    assert (run.code, run.lost, run.output) == (0, [], "out/team-alpha.yaml written.\n")
    release_file = (GUIDE / "team-alpha/my-api/helmrelease.yaml").read_text()
    values = release_file.partition("  values:\n")[2]
    assert run.files == {
        "team-alpha.yaml": "# yaml-language-server: $schema=../schemas/team.schema.json\n"
        f"team: team-alpha\n\napps:\n  - archetype: web-app\n{values}"
    }


def test_an_imported_app_of_the_guide_creates_what_it_creates_when_pasted(
    trees: Trees, program: Program
) -> None:
    trees.run_on(str(GUIDE))
    values = read_yaml((GUIDE / "team-alpha/my-api/values.yaml").read_text())
    pasted = {"team": "team-alpha", "apps": [{"archetype": "web-app", **values}]}
    made = program((trees.tenants / "team-alpha.yaml").read_text())
    wanted = program(as_yaml(pasted))
    assert _in_cluster(made) == _in_cluster(wanted)


@pytest.mark.parametrize(
    "file",
    [*sorted((ROOT / "tenants").glob("*.yaml")), TEAMS / "team-gamma.yaml"],
    ids=lambda file: file.stem,
)
def test_a_team_that_is_split_into_manifests_comes_back_the_same(
    file: Path, trees: Trees, program: Program
) -> None:
    """All that the program makes in the cluster for a team, and a release for each app."""
    data = read_yaml(file.read_text())
    name = data["team"]
    settings: dict[str, Any] = {
        "kubernetes": {"clusterIdentifier": "x", "podSecurity": "restricted"},
        "harbor": {"sharedProjects": ["base-images"]},
        "namespace": dev_settings().namespace.model_dump(mode="json", by_alias=True),
        "monitoring": {"dashboards": False},
    }
    made = program(file.read_text(), **settings)
    objects = [each.inputs for each in made.resources if each.package == "kubernetes"]
    manifests = (each for each in objects if "kind" in each)
    files = {"apps/tenant.yaml": yaml.dump_all(manifests, Dumper=yaml.CSafeDumper)}
    for entry in data["apps"]:
        archetype = entry.pop("archetype")
        text = read_yaml(release("", chart=f"sre-{archetype}"))
        text["metadata"] = {"name": entry["app"]["name"], "namespace": name}
        text["spec"]["values"] = entry
        files[f"apps/{entry['app']['name']}.yaml"] = as_yaml(text, sort_keys=False)
    assert trees.run(files).lost == []
    found, wanted = trees.team(name), shipped(file)
    assert {app.name: _ruled(app) for app in found.apps} == {app.name: app for app in wanted.apps}
    again = program((trees.tenants / file.name).read_text(), **settings)
    written = _in_cluster(again)
    if name == "team-beta":  # its rule for addresses is a call, which sidecars know as well
        del written[f"{SERVICE_ENTRY} team-beta/order-processor-10-200-0-0-16"]
    assert written == _in_cluster(made)


def _ruled(app: BaseApp) -> BaseApp:
    """The app with its calls to addresses as the rules that they were before."""
    rules = [
        {"to": ({"ipBlock": {"cidr": call.cidr}},), "ports": ({"port": call.port},)}
        for call in app.calls
    ]
    policy = app.network_policy
    former = (*map(EgressRule.model_validate, rules), *policy.additional_egress)
    return app.model_copy(
        update={
            "calls": (),
            "network_policy": policy.model_copy(update={"additional_egress": former}),
        }
    )


def _in_cluster(made: Made) -> dict[str, Any]:
    return {str(each): each.inputs for each in made.of_package("kubernetes")}


def values_map(name: str, values: str) -> str:
    """A ConfigMap of team-alpha with a release's values."""
    return manifest("ConfigMap", f"data:\n  values.yaml: |\n{indent(values, '    ')}", name=name)


def test_values_are_merged_in_fluxs_order(trees: Trees) -> None:
    """Maps merge, lists and scalars are replaced, a null removes an earlier value."""
    low = (
        VALUES + "  port: 8081\n  replicas: 4\n  env: [{name: A, value: a}, {name: B, value: b}]\n"
    )
    high = "app:\n  port: 8082\n  env: [{name: C, value: c}]\n"
    own = "app:\n  image: {tag: v2}\n  writablePaths: null\n"
    references = (
        "valuesFrom:\n- {kind: ConfigMap, name: low}\n- {kind: ConfigMap, name: high}\n"
        "- {kind: ConfigMap, name: one, valuesKey: policy, targetPath: app.image.pullPolicy}\n"
        "- {kind: ConfigMap, name: gone, optional: true}\n"
    )
    run = trees.run(
        {
            "apps/a.yaml": release(own, references),
            "apps/b.yaml": values_map("low", low) + "---\n" + values_map("high", high),
            "apps/c.yaml": manifest("ConfigMap", "data: {policy: Always}\n", name="one"),
        }
    )
    assert (run.code, run.lost) == (0, [])
    assert run.notes == [
        "apps/a.yaml:17:29: spec.valuesFrom[3].name: ConfigMap 'gone' is missing, but optional"
    ]
    (app,) = trees.team().apps
    assert (app.app.image.tag, app.app.image.pull_policy) == ("v2", "Always")
    assert isinstance(app, WebApp)
    assert (app.app.port, app.app.replicas) == (8082, 4)
    assert [(each.name, each.value) for each in app.app.env] == [("C", "c")]


@pytest.mark.parametrize(
    "lost",
    ["{kind: ConfigMap, name: gone}", "{kind: Secret, name: some}", "{kind: ConfigMap, name: bad}"],
    ids=["a ConfigMap that is not here", "a Secret", "a key that is not there"],
)
def test_what_a_lost_layer_of_values_may_replace_is_not_written(lost: str, trees: Trees) -> None:
    low = "app:\n  env: [{name: A, value: a}]\n  replicas: 4\n"
    run = trees.run(
        {
            "apps/a.yaml": release(
                VALUES, f"valuesFrom:\n- {{kind: ConfigMap, name: low}}\n- {lost}\n"
            ),
            "apps/b.yaml": values_map("low", low),
            "apps/c.yaml": manifest("ConfigMap", "data: {other: x}\n", name="bad"),
        },
        "--partial",
    )
    assert run.lost
    (app,) = trees.team().apps
    assert isinstance(app, WebApp)
    assert (app.app.env, app.app.replicas) == ((), 2)  # the defaults
    assert app.app.image.tag == "v1.0.0"  # the release's own values go last


def test_of_a_lost_value_at_a_path_the_others_are_written(trees: Trees) -> None:
    low = "app:\n  env: [{name: A, value: a}]\n  replicas: 4\n"
    references = (
        "valuesFrom:\n- {kind: ConfigMap, name: low}\n"
        "- {kind: Secret, name: some, targetPath: app.replicas}\n"
    )
    trees.run(
        {"apps/a.yaml": release(VALUES, references), "apps/b.yaml": values_map("low", low)},
        "--partial",
    )
    (app,) = trees.team().apps
    assert isinstance(app, WebApp)
    assert ([each.name for each in app.app.env], app.app.replicas) == (["A"], 2)


# As Flux' guide has it: a release follows a ConfigMap to its name with a hash.
NAME_REFERENCE = """\
nameReference:
- kind: ConfigMap
  version: v1
  fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]
"""


def test_a_generated_config_map_gives_its_values_with_their_comments(trees: Trees) -> None:
    values = "# Of the team.\n" + VALUES.replace('"v1.0.0"', "'2024-01-01' # of today")
    run = trees.run(
        {
            "apps/kustomization.yaml": "namespace: team-alpha\nresources: [app]\n",
            "apps/app/kustomization.yaml": "resources: [r.yaml]\nconfigMapGenerator:\n"
            "- {name: vals, files: [values.yaml=my-values.yaml]}\nconfigurations: [refs.yaml]\n",
            "apps/app/refs.yaml": NAME_REFERENCE,
            "apps/app/my-values.yaml": values,
            "apps/app/r.yaml": release("", "valuesFrom: [{kind: ConfigMap, name: vals}]\n").replace(
                "  namespace: team-alpha\n", ""
            ),
        }
    )
    assert (run.code, run.lost, run.notes) == (0, [], [])
    assert run.files["team-alpha.yaml"].endswith(
        "  - archetype: web-app\n" + indent(values, "    ")
    )


def test_a_values_file_beside_a_release_without_values_is_taken(trees: Trees) -> None:
    run = trees.run({"apps/a.yaml": release(""), "apps/values.yaml": VALUES})
    assert (run.code, run.lost) == (0, [])
    assert run.notes == ["apps/a.yaml:7:3: spec: has no values; they come from apps/values.yaml"]
    assert [app.name for app in trees.team().apps] == ["my-api"]


def test_what_is_left_out_leaves_the_other_lines_as_they_were(trees: Trees) -> None:
    values = (
        "# The app.\n" + VALUES + "  env:\n    # Kept.\n    - name: A\n      value: a\n"
        "    - name: DB_PASSWORD\n      value: hunter2\n  prot: 80\nserviceMonitor:\n"
        "  enabled: false  # for now\n"
    )
    run = trees.run(release(values), "--partial")
    kept = values.replace("    - name: DB_PASSWORD\n      value: hunter2\n  prot: 80\n", "")
    assert run.files["team-alpha.yaml"].endswith("  - archetype: web-app\n" + indent(kept, "    "))
    assert "hunter2" not in "\n".join(run.lines)


def test_a_rule_of_which_a_part_is_refused_goes_as_a_whole(trees: Trees) -> None:
    """Its other parts alone would let more in."""
    rules = (
        "networkPolicy:\n  additionalIngress:\n"
        "  - from: [{podSelector: {matchLabels: {role: probe, 'no key': x}}}]\n"
        "  - from: [{podSelector: {}}]\n"
    )
    trees.run(release(VALUES + rules), "--partial")
    (app,) = trees.team().apps
    (rule,) = app.network_policy.additional_ingress
    (peer,) = rule.from_
    assert peer.pod_selector
    assert peer.pod_selector.selects_all


def test_an_app_that_needs_what_was_refused_is_left_out_and_reported(trees: Trees) -> None:
    other = release(VALUES.replace("my-api", "other").replace("v1.0.0", "latest"))
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": other}, "--partial")
    assert [app.name for app in trees.team().apps] == ["my-api"]
    assert any("the whole app is left out" in note for note in run.notes)


def test_a_null_without_a_default_is_not_a_loss(trees: Trees) -> None:
    values = VALUES + "  env:\n  args: null\n  probes:\n"
    run = trees.run(release(values, chart="sre-worker"))
    assert (run.code, run.lost) == (0, [])
    assert run.files["team-alpha.yaml"].endswith(indent(VALUES, "    "))


def test_the_stack_may_enforce_more_than_a_namespace_says(trees: Trees) -> None:
    labels = "  labels: {pod-security.kubernetes.io/enforce: baseline}\n"
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team-alpha\n"
    assert trees.run(namespace + labels).lost == []


def test_a_folder_of_many_teams_becomes_a_file_for_each(trees: Trees) -> None:
    theirs = release().replace("team-alpha", "team-zeta")
    run = trees.run({"apps/alpha/a.yaml": release(), "apps/zeta/a.yaml": theirs})
    assert run.output == "out/team-alpha.yaml written.\nout/team-zeta.yaml written.\n"
    assert trees.team("team-zeta").name == "team-zeta"


def test_of_several_teams_all_are_written_or_none(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Path, text: str) -> None:
        if path.stem == "team-zeta":
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_text(text)

    monkeypatch.setattr("cli.import_.replace", full_disk)
    theirs = release().replace("team-alpha", "team-zeta")
    run = trees.run({"apps/alpha/a.yaml": release(), "apps/zeta/a.yaml": theirs})
    assert (run.code, run.files, run.lost) == (
        1,
        {},
        [
            "out/team-zeta.yaml:1:1: (file): cannot be written: No space left on device; "
            "name another folder (--tenants)"
        ],
    )


def test_an_existing_file_is_not_overwritten(trees: Trees) -> None:
    trees.write({"out/team-alpha.yaml": "team: team-alpha\n"})
    run = trees.run(release(), "--partial")
    assert (run.code, run.files) == (1, {"team-alpha.yaml": "team: team-alpha\n"})
    assert run.lost == [
        "out/team-alpha.yaml:1:1: (file): already exists; move it, or import into another folder "
        "(--tenants) and copy what you need"
    ]


def test_a_misnamed_file_is_in_the_way_too(trees: Trees) -> None:
    trees.write({"out/team-alpha.yml": ""})
    run = trees.run(release())
    assert (run.code, run.files) == (1, {"team-alpha.yml": ""})
    assert run.lost[0].startswith("out/team-alpha.yml:1:1: (file): already exists; ")


def test_a_link_to_nowhere_is_not_written_through(
    trees: Trees, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.write({"apps/a.yaml": release()})
    (trees.tenants / "team-alpha.yaml").symlink_to("elsewhere.yaml")
    assert main(["import", "apps", "--tenants", "out"]) == 1
    assert ": already exists; " in capsys.readouterr().err
    assert not (trees.tenants / "elsewhere.yaml").exists()


def test_a_host_of_another_team_is_reported_where_the_release_claims_it(trees: Trees) -> None:
    shutil.copy(ROOT / "tenants/team-alpha.yaml", trees.tenants)
    ingress = "ingress: {enabled: true, host: my-api.apps.sre.example.com}\n"
    run = trees.run(release(VALUES + ingress).replace("team-alpha", "team-zeta"))
    assert run.code == 1
    assert run.lost[0].startswith(
        "apps/a.yaml:19:36: spec.values.ingress.host: host 'my-api.apps.sre.example.com' is "
        "already "
    )


def test_a_quota_is_written_where_it_differs_and_as_it_was_written(trees: Trees) -> None:
    hard = "spec: {hard: {cpu: 4000m, requests.memory: 10240Mi, pods: 1k, limits.cpu: 12}}\n"
    run = trees.run({"apps/a.yaml": release(), "apps/q.yaml": manifest("ResourceQuota", hard)})
    assert run.code == 0
    assert (
        "quota:\n  requests: {memory: 10240Mi}\n  limits: {cpu: 12, memory: null}\n  pods: 1000\n"
        "  services: null\n  persistentvolumeclaims: null\n"
    ) in run.files["team-alpha.yaml"]
    assert (
        "apps/q.yaml:6:8: spec.hard: leaves out limits that the defaults set; written as null "
        "(no limit): quota.limits.memory, quota.services, quota.persistentvolumeclaims"
    ) in run.notes


def test_a_quota_of_other_resources_only_leaves_the_defaults(trees: Trees) -> None:
    hard = "spec: {hard: {count/jobs.batch: 5}}\n"
    quota = {"apps/q.yaml": manifest("ResourceQuota", hard)}
    run = trees.run({"apps/a.yaml": release(), **quota}, "--partial")
    assert "quota:" not in run.files["team-alpha.yaml"]
    assert any("defaults now apply: quota.requests.cpu 4, " in note for note in run.notes)


def test_a_limit_range_means_what_the_api_server_makes_of_it(trees: Trees) -> None:
    limits = "spec: {limits: [{type: Container, max: {cpu: '1'}, min: {memory: 1Mi}}]}\n"
    trees.run({"apps/a.yaml": release(), "apps/l.yaml": manifest("LimitRange", limits)})
    bounds = trees.team().limit_range
    assert (str(bounds.default.cpu), str(bounds.default_request.cpu)) == ("1", "1")
    assert str(bounds.default_request.memory) == "1Mi"


def test_of_several_limit_ranges_the_tightest_bounds_hold(trees: Trees) -> None:
    items = (
        "[{type: Container, max: {memory: 8Gi}, min: {memory: 32Mi}}, "
        "{type: Container, max: {memory: 2Gi}, min: {memory: 64Mi}}]"
    )
    trees.run(
        {
            "apps/a.yaml": release(),
            "apps/l.yaml": manifest("LimitRange", f"spec: {{limits: {items}}}\n", name="l"),
        },
        "--partial",
    )
    limits = trees.team().limit_range
    assert (limits.max.memory.text, str(limits.min.memory)) == ("2Gi", "64Mi")


def test_a_limit_range_without_a_minimum_leaves_the_team_without_one(trees: Trees) -> None:
    limits = "spec: {limits: [{type: Container, max: {cpu: '1'}, min: {memory: 1Mi}}]}\n"
    run = trees.run({"apps/a.yaml": release(), "apps/l.yaml": manifest("LimitRange", limits)})
    assert run.code == 0
    assert "  min: {cpu: null, memory: 1Mi}\n" in run.files["team-alpha.yaml"]
    assert trees.team().limit_range.min.cpu is None
    assert any(
        "leaves out keys that have a default; written as null (no minimum): "
        "limitRange.min.cpu" in note
        for note in run.notes
    )


@pytest.mark.parametrize(("target", "code"), [(80, 0), (70, 1)])
def test_the_charts_autoscaler_is_the_program_s_but_for_what_it_averages_over(
    trees: Trees, target: int, code: int
) -> None:
    scaler = f"""\
        spec:
          scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: my-api}}
          minReplicas: 2
          maxReplicas: 10
          metrics:
          - type: Resource
            resource: {{name: cpu, target: {{type: Utilization, averageUtilization: {target}}}}}
        """
    api = "autoscaling/v2"
    made = manifest("HorizontalPodAutoscaler", scaler, name="my-api", api=api)
    run = trees.run({"apps/a.yaml": release(), "apps/h.yaml": made})
    assert run.code == code, run.lost
    assert any(
        "spec.metrics[0].type: averages over all of a pod's containers, including the "
        "sidecar; " in note
        for note in run.notes
    )


def test_who_has_no_binding_gets_no_access(trees: Trees) -> None:
    binding = manifest(
        "RoleBinding",
        "roleRef: {kind: ClusterRole, name: edit}\nsubjects:\n- {kind: Group, name: devs}\n",
        api="rbac.authorization.k8s.io/v1",
    )
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": binding})
    assert (trees.team().developers, trees.team().viewers) == (("devs",), ())
    assert any("'team-alpha-developers' replaces it" in note for note in run.notes)


def test_an_account_that_cannot_be_imported_is_not_reported_as_replaced(trees: Trees) -> None:
    account = "[{kind: ServiceAccount, name: ci, namespace: team-alpha}]"
    binding = manifest(
        "RoleBinding",
        f"roleRef: {{kind: ClusterRole, name: edit}}\nsubjects: {account}\n",
        api="rbac.authorization.k8s.io/v1",
    )
    run = trees.run({"apps/a.yaml": release(), "apps/b.yaml": binding})
    assert ["only groups can be given access" in line for line in run.lost] == [True]
    assert not [note for note in run.notes if "replaces it" in note]


def test_a_tenant_without_manifests_of_a_kind_gets_a_note_about_defaults(trees: Trees) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-alpha}\n"
    run = trees.run({"apps/a.yaml": release(), "apps/n.yaml": namespace})
    notes = [note for note in run.notes if "metadata.name: has no" in note]
    assert notes == [
        "apps/n.yaml:3:18: metadata.name: has no ResourceQuota, LimitRange; the "
        "defaults of `quota`, `limitRange` apply to the team",
        "apps/n.yaml:3:18: metadata.name: has no RoleBinding; nobody gets access to the team",
    ]
    team = trees.team()
    assert (team.developers, team.viewers) == ((), ())


def test_releases_alone_say_nothing_of_who_has_access(trees: Trees) -> None:
    trees.run(release())
    assert trees.team().developers == ("team-alpha-developers",)


def test_a_network_policy_may_say_the_same_in_other_words(trees: Trees) -> None:
    policy = manifest(
        "NetworkPolicy",
        "spec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n"
        "  - to: [&dns {namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, "
        "operator: In, values: [kube-system]}]}}]\n    ports: [{port: 53}]\n"
        "  - {to: [*dns], ports: [{port: 53, protocol: UDP}]}\n",
        name="allow-dns",
        api="networking.k8s.io/v1",
    )
    assert trees.run({"apps/a.yaml": release(), "apps/b.yaml": policy}).lost == []


def test_a_release_in_fluxs_namespace_goes_where_it_says(trees: Trees) -> None:
    text = release(spec="targetNamespace: team-alpha\n")
    trees.run(text.replace("namespace: team-alpha", "namespace: flux-system"))
    assert [app.name for app in trees.team().apps] == ["my-api"]


@pytest.mark.parametrize("name", ["..", "a/b", "x" * 300, "${TEAM}"])
def test_a_namespace_that_no_file_can_be_named_by_is_refused(name: str, trees: Trees) -> None:
    run = trees.run(release().replace("namespace: team-alpha", f"namespace: '{name}'"))
    assert (run.code, run.files) == (1, {})
    assert run.lost[0].startswith("apps/a.yaml:5:14: metadata.namespace: ")


@pytest.mark.parametrize("path", ["gone", "", "x" * 300])
def test_a_missing_path_is_reported_in_one_line(path: str, trees: Trees) -> None:
    run = trees.run_on(path)
    assert (run.code, run.lines) == (
        1,
        [f"{path}: no such file or folder; check the path"],
    )


def test_links_to_folders_are_followed_and_circles_end(trees: Trees) -> None:
    trees.write({"elsewhere/a.yaml": release()})
    (trees.folder / "apps").mkdir()
    (trees.folder / "apps/linked").symlink_to("../elsewhere")
    (trees.folder / "elsewhere/again").symlink_to("../apps")
    run = trees.run_on("apps")
    assert (run.code, run.lost, list(run.files)) == (0, [], ["team-alpha.yaml"])
    assert [app.name for app in trees.team().apps] == ["my-api"]


def test_a_folder_without_teams_is_reported_in_one_line(trees: Trees) -> None:
    run = trees.run({"apps/readme.md": "x"})
    assert (run.code, run.lines) == (
        1,
        [
            "apps:1:1: (file): contains no namespace and no app; name the folder of a team, or of "
            "all teams"
        ],
    )


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert "example: ./sre import apps/tenants/team-alpha" in capsys.readouterr().out


def test_a_probe_that_finds_its_own_shell_is_noted_at_its_place(trees: Trees) -> None:
    values = f"""{VALUES}  probes:
    liveness:
      exec:
        command:
          - /bin/sh
          - -c
          - "pgrep -f worker || exit 1"
"""
    run = trees.run(release(values, chart="sre-worker"))
    assert (run.code, run.lost) == (0, [])
    (note,) = [line for line in run.notes if "finds itself" in line]
    lines = (trees.folder / "apps/a.yaml").read_text().split("\n")
    (at,) = [number for number, line in enumerate(lines, 1) if "pgrep" in line]
    assert note.startswith(f"apps/a.yaml:{at}:")
    assert "spec.values.app.probes.liveness.exec.command[2]: " in note
    assert note.endswith("write '[w]orker'")
