"""What `./sre import` cannot carry, and where it says so."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.flux_tree import VALUES, Trees, manifest, place_in, release

pytestmark = pytest.mark.commands

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-alpha}\n"
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: tenants, namespace: flux-system}
spec: {interval: 10m, path: ./apps, prune: true, sourceRef: {kind: GitRepository, name: x}
"""
RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


def beside(text: str) -> dict[str, str]:
    """A team with a namespace and an app, and `text`."""
    return {"apps/a.yaml": release() + "---\n" + NAMESPACE, "apps/b.yaml": text}


def kustomized(text: str, **files: str) -> dict[str, str]:
    named = "resources: [a.yaml]\n"
    return {
        "apps/a.yaml": release(),
        "apps/kustomization.yaml": KUSTOMIZATION + named + text,
        **{f"apps/{name}": content for name, content in files.items()},
    }


LOSSES: dict[str, tuple[Mapping[str, str], str]] = {
    "a key that no chart knows": (
        {"apps/a.yaml": release(VALUES + "«wibble: {a: b}\n")},
        "spec.values.wibble: is an unknown key; use one of: archetype, app, ",
    ),
    "a key that no chart knows, of one that a path names": (
        {"apps/a.yaml": release(VALUES + "«prot: 80\n", chart="./charts/sre-web-app")},
        "spec.values.prot: is an unknown key; use one of: archetype, app, ",
    ),
    "a version that is none": (
        {"apps/a.yaml": release(VALUES.replace('"v1.0.0"', "«latest"))},
        "spec.values.app.image.tag: 'latest' is not a version; ",
    ),
    "an unquoted version, as it was typed": (
        {"apps/a.yaml": release(VALUES.replace('"v1.0.0"', "«1.10"))},
        'spec.values.app.image.tag: YAML reads this as a number; put it in quotes: "1.10"',
    ),
    "an unquoted version among merged values": (
        {
            "apps/a.yaml": release(
                "app: {image: {tag: «1.10}}", "valuesFrom: [{kind: ConfigMap, name: vals}]\n"
            ),
            "apps/b.yaml": manifest(
                "ConfigMap",
                "data: {values.yaml: 'app: {name: my-api, image: {repository: "
                "harbor.sre.internal/team-alpha/my-api}}'}\n",
                name="vals",
            ),
        },
        'spec.values.app.image.tag: YAML reads this as a number; put it in quotes: "1.10"',
    ),
    "a second document's values": (
        {"apps/a.yaml": NAMESPACE + "--- # an app\n" + release(VALUES + "«prot: 80\n")},
        "spec.values.prot: is an unknown key; ",
    ),
    "a credential": (
        {"apps/a.yaml": release(VALUES + "  env: [{name: DB_PASSWORD, value: «hunter2}]\n")},
        "spec.values.app.env[0].value: its name says password; ",
    ),
    "a key of another archetype": (
        {"apps/a.yaml": release(VALUES + "«schedule: {cron: '0 2 * * *'}\n")},
        "spec.values.schedule: does not fit a web-app, only a cronjob; ",
    ),
    "another chart": (
        {**beside(""), "apps/c.yaml": release(chart="«podinfo")},
        "spec.chart.spec.chart: is not one of the charts sre-web-app, sre-worker, sre-cronjob; ",
    ),
    "post-renderers": (
        {"apps/a.yaml": release(spec="«postRenderers: [{kustomize: {}}]\n")},
        "spec.postRenderers: changes what runs, but a team's file cannot express it; ",
    ),
    "a suspended release": (
        {"apps/a.yaml": release(spec="«suspend: true\n")},
        "spec.suspend: Flux does not apply it; ",
    ),
    "another target namespace": (
        {"apps/a.yaml": release(spec="«targetNamespace: other\n")},
        "spec.targetNamespace: is not the team's namespace; ",
    ),
    "values from a Secret": (
        {"apps/a.yaml": release(spec="valuesFrom:\n  - «kind: Secret\n    name: x\n")},
        "spec.valuesFrom[0]: values from a Secret cannot be imported; ",
    ),
    "values from a ConfigMap that is not here": (
        {"apps/a.yaml": release(spec="valuesFrom: [{kind: ConfigMap, name: «gone}]\n")},
        "spec.valuesFrom[0].name: ConfigMap 'gone' is not in the imported files; ",
    ),
    "a wrong value within a ConfigMap": (
        {
            "apps/a.yaml": release("", "valuesFrom: [{kind: ConfigMap, name: vals}]\n"),
            "apps/b.yaml": manifest(
                "ConfigMap",
                "data:\n  values.yaml: |\n    # of the team\n"
                "    app:\n      name: my-api\n      prot: «80\n      image: {repository: "
                "harbor.sre.internal/team-alpha/my-api, tag: v1}\n",
                name="vals",
            ).replace("prot: «80", "«prot: 80"),
        },
        "app.prot: is an unknown key; did you mean 'port'?",
    ),
    "a value that Flux fills in": (
        {"apps/a.yaml": release(VALUES + "ingress: {enabled: true, host: «'${HOST}'}\n")},
        "spec.values.ingress.host: Flux substitutes ${...} where postBuild is used; ",
    ),
    "a null that takes a default away": (
        {"apps/a.yaml": release(VALUES + "  probes: «null\n")},
        "spec.values.app.probes: unsets the chart's default, which applies here; ",
    ),
    "a Helm template": (
        beside("metadata:\n  name: «{{ .Values.name }}\n"),
        "(file): is a Helm template, not YAML; ",
    ),
    "a file that SOPS encrypted": (
        beside(manifest("Secret", 'data: {a: "ENC[x]"}\n«sops: {mac: x}\n')),
        "sops: the document is encrypted by SOPS; ",
    ),
    "a Secret": (
        beside(manifest("Secret", "stringData: {a: hunter2}\n").replace(": S", ": «S")),
        "kind: Secret 'x' is not created by the program; store its values in OpenBao",
    ),
    "an object of another kind in a list": (
        beside(
            "apiVersion: v1\nkind: List\nitems:\n"
            "- {apiVersion: security.istio.io/v1, kind: «PeerAuthentication, "
            "metadata: {name: p, namespace: team-alpha}}\n"
        ),
        "items[0].kind: PeerAuthentication 'p' is not created by the program; ",
    ),
    "an object of another namespace": (
        beside(manifest("Service").replace("Ser", "«Ser").replace("team-alpha", "elsewhere")),
        "kind: Service 'x' is in namespace 'elsewhere', whose team is not in the import; ",
    ),
    "a quota's key that is not known": (
        beside(manifest("ResourceQuota", "spec: {hard: {pods: 3, «count/jobs.batch: '5'}}\n")),
        "spec.hard.count/jobs.batch: is not a key of `quota`; ",
    ),
    "a quota's scope": (
        beside(manifest("ResourceQuota", "spec: {hard: {pods: 3}, «scopes: [BestEffort]}\n")),
        "spec.scopes: has no counterpart in a team's file; ",
    ),
    "bounds of pods": (
        beside(manifest("LimitRange", "spec: {limits: [«{type: Pod, max: {cpu: '4'}}]}\n")),
        "spec.limits[0]: only container limits can be imported; ",
    ),
    "a bound of another resource": (
        beside(
            manifest(
                "LimitRange",
                "spec: {limits: [{type: Container, max: {«ephemeral-storage: 1Gi}}]}\n",
            )
        ),
        "spec.limits[0].max.ephemeral-storage: is not a key of `limitRange`; ",
    ),
    "another role": (
        beside(manifest("RoleBinding", "roleRef: {kind: ClusterRole, name: «admin}\n", api=RBAC)),
        "roleRef.name: gives a role other than edit or view; ",
    ),
    "access for a user": (
        beside(
            manifest(
                "RoleBinding",
                "roleRef: {kind: ClusterRole, name: edit}\nsubjects: [«{kind: User, name: eve}]\n",
                api=RBAC,
            )
        ),
        "subjects[0]: only groups can be given access; ",
    ),
    "a network policy of one's own": (
        beside(
            manifest(
                "NetworkPolicy",
                "spec: {podSelector: {}, ingress: [{}]}\n",
                api="networking.k8s.io/v1",
            ).replace(": Net", ": «Net")
        ),
        "kind: NetworkPolicy 'x' is not created by the program; write its rules under ",
    ),
    "a default network policy that allows more": (
        beside(
            manifest(
                "NetworkPolicy",
                "spec: «{podSelector: {}, policyTypes: [Egress], egress: [{ports: "
                "[{port: 443}, {port: 80}]}]}\n",
                name="allow-https-egress",
                api="networking.k8s.io/v1",
            )
        ),
        "spec: differs from what the program creates under this name; ",
    ),
    "a label of a namespace": (
        {"apps/a.yaml": NAMESPACE.replace("}", ", labels: {«cost-center: '42'}}")},
        "metadata.labels.cost-center: is not set by the program; ",
    ),
    "a namespace without sidecars": (
        {"apps/a.yaml": NAMESPACE.replace("}", ", labels: {«istio-injection: disabled}}")},
        "metadata.labels.istio-injection: the program sets it to 'enabled'; ",
    ),
    "an ExternalSecret of another path": (
        {
            "apps/a.yaml": release(VALUES + "  env: [{name: URL, secretRef: db}]\n"),
            "apps/b.yaml": manifest(
                "ExternalSecret",
                "spec:\n  data:\n  - secretKey: value\n    remoteRef: {key: «sre/other/db}\n",
                name="db",
                api="external-secrets.io/v1beta1",
            ),
        },
        "spec.data[0].remoteRef.key: differs from what the program creates here; ",
    ),
    "a file that is not there": (
        kustomized("bases: [«../gone]\n"),
        "bases[0]: is not in the imported files; ",
    ),
    "a resource outside, by an absolute path": (
        kustomized("bases: [«/etc]\n"),
        "bases[0]: is not in the imported files; ",
    ),
    "a label for all objects": (
        kustomized("commonLabels: {«tier: gold}\n"),
        "commonLabels.tier: is not a label that the program sets; ",
    ),
    "image automation": (
        beside(
            "apiVersion: image.toolkit.fluxcd.io/v1beta2\nkind: «ImagePolicy\n"
            "metadata: {name: my-api, namespace: flux-system}\n"
        ),
        "kind: ImagePolicy 'my-api' acts on objects that Flux applies, and Flux no longer "
        "applies any; ",
    ),
    "a values file that differs from the release beside it": (
        {
            "apps/a.yaml": release(VALUES + "  port: 8080\n"),
            "apps/values.yaml": "app:\n  port: «9090\n",
        },
        "app.port: the release beside it does not read this file, and has different values; ",
    ),
    "a file that is no object": (
        beside("«a: b\n"),
        "(file): is neither an object nor a source of a release's values; ",
    ),
    "an object of another group, of a kind that the program makes": (
        beside(manifest("«Service", name="my-api", api="serving.knative.dev/v1")),
        "kind: Service 'my-api' is not created by the program; create it by other means",
    ),
    "a policy of another group": (
        beside(
            manifest(
                "«NetworkPolicy",
                "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n",
                api="crd.projectcalico.org/v1",
            )
        ),
        "kind: NetworkPolicy 'x' is not created by the program; ",
    ),
    "a key of a ConfigMap that contains no values": (
        {
            "apps/a.yaml": release(spec="valuesFrom: [{kind: ConfigMap, name: vals}]\n"),
            "apps/b.yaml": manifest(
                "ConfigMap", "data: {values.yaml: 'app: {}', x: «y}", name="vals"
            ),
        },
        "data.x: no release reads values from the key 'x'; ",
    ),
    "a ConfigMap that is no values": (
        beside(manifest("ConfigMap", "data: {a: b}\n").replace(": C", ": «C")),
        "kind: ConfigMap 'x' is used by no release; ",
    ),
    "a dashboard": (
        beside(
            "apiVersion: v1\nkind: «ConfigMap\n"
            "metadata: {name: x, namespace: team-alpha, labels: {grafana_dashboard: '1'}}\n"
            "data: {x.json: '{}'}\n"
        ),
        "kind: ConfigMap 'x' is a dashboard; the team and each app get one of their own",
    ),
}


@pytest.mark.parametrize(("files", "said"), list(LOSSES.values()), ids=list(LOSSES))
def test_a_loss_is_reported_at_its_place_and_the_rest_becomes_a_valid_file(
    files: Mapping[str, str], said: str, trees: Trees
) -> None:
    plain, place = place_in(files)
    run = trees.run(plain, "--partial")
    assert (run.code, list(run.files)) == (0, ["team-alpha.yaml"])
    (line,) = run.lost
    assert line.startswith(f"{place}: {said}")
    assert trees.team().name == "team-alpha"
    assert "hunter2" not in "\n".join([*run.lines, *run.files.values()])


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_that_cannot_be_read_is_reported(
    named: bool, trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"apps/kustomization.yaml": KUSTOMIZATION + "resources: [a.yaml, shut]\n"}
    (trees.folder / "apps/shut").mkdir(parents=True)
    listed = Path.iterdir

    def refused(folder: Path) -> Iterator[Path]:  # for root, everything may be read
        if folder.name == "shut":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refused)
    run = trees.run({"apps/a.yaml": release(), **(files if named else {})})
    assert (run.code, run.files) == (1, {})
    (line,) = run.lost
    assert line.startswith("apps/shut:1:1: (file): the folder cannot be read: no permission; ")


def test_with_a_loss_nothing_is_written_by_default(trees: Trees) -> None:
    run = trees.run(release(VALUES.replace("v1.0.0", "latest")))
    assert (run.code, run.output, run.files) == (1, "", {})
    assert run.lines[-1] == (
        "Nothing is written: 1 thing above would be lost; --partial leaves it out."
    )
