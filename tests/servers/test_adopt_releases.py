"""Apps that run under a release's names move to their own, step by step and back."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import dropwhile, islice, takewhile
from pathlib import Path

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from tests.charts import KINDS, charted
from tests.checkouts import Checkout, Run
from tests.kubectl import kubectl
from tests.servers.conftest import cluster_of, started, until
from tests.servers.inherited import TEAM, deploy, post, wanted

pytestmark = pytest.mark.servers

_PAUSE = 0.3  # seconds
SETTING = "  sre-platform:adopt: true\n"
LONG = "web-release-with-a-name-that-is-as-long-as-helm-takes"

# By app: its release, and what that names its objects.
RELEASES = {
    "my-api": ("my-api", "my-api-my-api"),
    "storefront": (LONG, f"{LONG}-storefron"),
    "mailer": ("mail", "mail-mailer"),
    "nightly": ("nightly", "nightly-nightly"),
}
HOSTS = {"my-api": "my-api.apps.sre.example.com", "storefront": "shop.apps.sre.example.com"}
LEAST = 2  # pods of my-api, by its autoscaler
PODS = 3  # of the former my-api

FILE = f"""\
team: {TEAM}
quota: {{requests: {{cpu: "8", memory: 16Gi}}, limits: {{cpu: "16", memory: 32Gi}}, pods: 40}}
apps:
  - archetype: web-app
    app:
      name: my-api
      image: {{repository: harbor.sre.internal/{TEAM}/my-api, tag: v1.0.0}}
      env: [{{name: DATABASE_URL, secretRef: my-api-db}}]
    ingress: {{enabled: true, host: {HOSTS["my-api"]}}}
  - archetype: web-app
    app:
      name: storefront
      image: {{repository: harbor.sre.internal/{TEAM}/storefront, tag: v1.0.0}}
      replicas: 2
      env: [{{name: API_URL, value: "http://my-api-my-api:8080"}}]
    ingress: {{enabled: true, host: {HOSTS["storefront"]}}}
    autoscaling: {{enabled: false}}
  - archetype: worker
    app:
      name: mailer
      image: {{repository: harbor.sre.internal/{TEAM}/mailer, tag: v1.0.0}}
  - archetype: cronjob
    app:
      name: nightly
      image: {{repository: harbor.sre.internal/{TEAM}/nightly, tag: v1.0.0}}
    schedule: {{cron: "0 2 * * *"}}
"""


@dataclass
class Watch:
    """What was wrong at any time: a host with two destinations, or one without a pod."""

    cluster: Cluster
    wrong: set[str] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(_PAUSE):
                self._look()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self) -> None:
        leads: dict[str, set[str]] = {host: set() for host in HOSTS.values()}
        for route in self.cluster.list("networking.istio.io/v1", "VirtualService", TEAM):
            for host in route["spec"]["hosts"]:
                for each in route["spec"]["http"]:
                    to = each["route"][0]["destination"]["host"]
                    leads[host].add(to.removesuffix(f".{TEAM}.svc.cluster.local"))
        for host, services in leads.items():
            if len(services) != 1:
                self.wrong.add(f"{host} leads to {sorted(services)}")
            for service in services:
                if not self.has_ready_pod(service):
                    self.wrong.add(f"{host}: no pod is ready behind {service}")

    def has_ready_pod(self, service: str) -> bool:
        slices = self.cluster.list("discovery.k8s.io/v1", "EndpointSlice", TEAM)
        return any(
            endpoint["conditions"]["ready"]
            for each in slices
            if each["metadata"]["labels"].get("kubernetes.io/service-name") == service
            for endpoint in each.get("endpoints") or ()
        )


@dataclass
class Story:
    """One move, and what there was after each of its steps.

    `specs` are those of the objects that the charts and the program name otherwise, by step and
    `Kind name`; `said` is what the preview after that step says.
    """

    checkout: Checkout
    cluster: Cluster
    watch: Watch
    former: list[Object] = field(default_factory=list)
    specs: dict[str, dict[str, Object]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    evicted: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, list[str]] = field(default_factory=dict)
    too_early: Run = field(init=False)

    def done(self, step: str) -> None:
        self.specs[step] = self.objects()
        run = self.checkout.run("preview")
        assert run.code == 0, run.output
        assert self.objects() == self.specs[step], "a preview changes nothing"
        self.said[step] = run.output

    def commanded(self, step: str, which: str, *apps: str) -> None:
        """As the preview after that step says, under `next` or `back`."""
        for app in apps:
            commands = commands_of(self.said[step], app, which)
            assert commands, self.said[step]
            for command in commands:
                kubectl(self.cluster, command)

    def objects(self) -> dict[str, Object]:
        return {
            f"{each['kind']} {name}": found.get("spec", {})
            for each in self.former
            for name in (each["metadata"]["name"], own_name(each))
            if (found := self.get(each["apiVersion"], each["kind"], name))
        }

    def names(self, step: str, app: str) -> set[str]:
        """`Kind name` of what the app had then under its own names."""
        own = {f"{each['kind']} {own_name(each)}" for each in self.former if app_of(each) == app}
        return own & self.specs[step].keys()

    def get(self, version: str, kind: str, name: str) -> Object | None:
        return self.cluster.get(version, kind, TEAM, name)

    def external_secrets(self) -> list[str]:
        found = self.cluster.list("external-secrets.io/v1", "ExternalSecret", TEAM)
        return [each["metadata"]["name"] for each in found]

    def available(self, deployment: str) -> int:
        found = self.get("apps/v1", "Deployment", deployment)
        return ((found or {}).get("status") or {}).get("availableReplicas") or 0

    def eviction(self, deployment: str) -> int:
        """The API server's answer to whether a pod may be evicted, which two budgets forbid."""
        pods = self.cluster.list("v1", "Pod", TEAM)
        pod = next(
            p["metadata"]["name"]
            for p in pods
            if p["metadata"]["name"].startswith(f"{deployment}-")
        )
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": TEAM},
        }
        path = f"{self.cluster.path('v1', 'Pod', TEAM, pod)}/eviction"
        try:
            self.cluster.call("POST", path, eviction, {"dryRun": "All"})
        except RefusedError as refusal:
            return refusal.status
        return 201


def app_of(former: Object) -> str:
    app: str = former["metadata"]["labels"]["app.kubernetes.io/name"]
    return app


def own_name(former: Object) -> str:
    app = app_of(former)
    return app + former["metadata"]["name"].removeprefix(RELEASES[app][1])


def said_of(output: str, app: str) -> list[str]:
    """The paragraph of a run's diagnostics on an app that runs under other names."""
    first = re.compile(rf"( *){TEAM}/{app} runs under other names")
    lines = iter(output.splitlines())
    for line in lines:
        if found := first.match(line):
            deeper = takewhile(lambda each: each.startswith(f"{found[1]}  "), lines)
            return [line.strip(), *map(str.strip, deeper)]
    return []


def commands_of(output: str, app: str, which: str) -> list[str]:
    """Those under `next` or `back`."""
    lines = dropwhile(lambda line: not line.startswith(f"{which}:"), said_of(output, app))
    return list(takewhile(lambda line: line.startswith("kubectl "), islice(lines, 1, None)))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with started(Checkout(tmp_path_factory.mktemp("releases") / "checkout")) as checkout:
        (checkout.folder / "tenants/team-beta.yaml").unlink()
        team = checkout.folder / f"tenants/{TEAM}.yaml"
        team.write_text(FILE)
        cluster = cluster_of(checkout)
        story = Story(checkout, cluster, Watch(cluster))
        _inherit(story)
        settings = checkout.folder / "Pulumi.dev.yaml"
        without = settings.read_text()
        settings.write_text(without + SETTING)
        with story.watch.watching():
            _moved(story, team)
        settings.write_text(without)
        story.done("setting out")
        yield story


def _inherit(story: Story) -> None:
    cluster = story.cluster
    for each in wanted(story.checkout):
        app = (each["metadata"].get("labels") or {}).get("app.kubernetes.io/name")
        if app in RELEASES and each["kind"] in KINDS:
            story.former.append(charted(each, app, *RELEASES[app]))
            if (each["kind"], app) == ("Deployment", "mailer"):
                _with_more(story.former[-1])
            post(cluster, story.former[-1])
        else:
            deploy(cluster, each)
    scale = f"{cluster.path('apps/v1', 'Deployment', TEAM, 'my-api-my-api')}/scale"
    merge = "application/merge-patch+json"
    cluster.call("PATCH", scale, {"spec": {"replicas": PODS}}, None, merge)
    for app, pods in (("my-api", PODS), ("storefront", 2), ("mailer", 1)):
        until(lambda deployment=RELEASES[app][1], pods=pods: story.available(deployment) >= pods)


def _with_more(deployment: Object) -> None:
    """What somebody has added, and no file says."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "LEFT_OVER", "value": "hunter2"}]


def _moved(story: Story, team: Path) -> None:
    story.done("before")
    story.checkout.up()
    team.write_text(without_app("my-api"))
    story.checkout.up()
    story.done("left out")
    story.secrets["left out"] = story.external_secrets()
    team.write_text(FILE)
    story.checkout.up()
    for app, pods in (("my-api", PODS), ("storefront", 2)):
        until(lambda app=app, pods=pods: story.available(app) == pods)
    story.done("beside")
    settings = story.checkout.folder / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text().replace(SETTING, ""))
    story.too_early = story.checkout.run("preview")
    settings.write_text(settings.read_text() + SETTING)
    story.evicted = {name: story.eviction(name) for name in ("my-api", "my-api-my-api")}

    moving = ("my-api", "storefront", "nightly")
    story.commanded("beside", "next", *moving)
    story.done("moved")
    story.commanded("beside", "back", *moving)
    story.specs["moved back"] = story.objects()
    story.commanded("beside", "next", *moving)
    story.checkout.up()
    story.done("routed")
    story.commanded("routed", "back", *moving)
    story.checkout.up()
    story.done("routed back")
    story.commanded("routed back", "next", *moving)
    story.checkout.up()
    story.commanded("routed", "next", *RELEASES)
    until(lambda: not story.available("my-api-my-api"))
    story.checkout.up()
    story.done("done")
    team.write_text(FILE.replace("my-api, tag: v1.0.0", "my-api, tag: v1.0.1"))
    story.checkout.up()
    story.specs["next version"] = story.objects()
    _back_from_the_end(story, team)


def _back_from_the_end(story: Story, team: Path) -> None:
    """As the documentation says: everything else first, then the route, in one write."""
    former = [each for each in story.former if app_of(each) == "my-api"]
    (route,) = (each for each in former if each["kind"] == "VirtualService")
    for each in former:
        if each is not route:
            post(story.cluster, each)
    until(lambda: story.available("my-api-my-api") >= LEAST)
    until(lambda: story.watch.has_ready_pod("my-api-my-api"))
    destination = route["spec"]["http"][0]["route"][0]["destination"]
    change = [{"op": "add", "path": "/spec/http/0/route/0/destination", "value": destination}]
    own = f"kubectl patch virtualservice my-api -n {TEAM} --type json -p '{json.dumps(change)}'"
    kubectl(story.cluster, own)
    post(story.cluster, route)
    story.checkout.up()
    team.write_text(without_app("my-api"))
    story.checkout.up()
    story.specs["back from the end"] = story.objects()
    story.secrets["back from the end"] = story.external_secrets()


def without_app(name: str) -> str:
    """The team's file without that app."""
    head, *apps = FILE.split("  - archetype: ")
    kept = [app for app in apps if f"      name: {name}\n" not in app]
    return "  - archetype: ".join([head, *kept])


def test_a_host_has_at_no_time_two_destinations_or_none_with_a_pod(story: Story) -> None:
    assert story.watch.wrong == set()


def test_the_preview_names_what_there_is_and_what_it_holds_back(story: Story) -> None:
    said = said_of(story.said["before"], "my-api")
    assert said[0].endswith(
        "Deployment, HorizontalPodAutoscaler, NetworkPolicy, PodDisruptionBudget, Service, "
        "ServiceAccount, ServiceMonitor, VirtualService my-api-my-api"
    )
    held = said[1].removeprefix("held back: ").split("; ")
    assert [each.partition(",")[0] for each in held] == [
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "ServiceMonitor",
        "VirtualService",
    ]
    assert "3 pods" in said[2]
    shop = said_of(story.said["before"], "storefront")
    assert f"VirtualService {RELEASES['storefront'][1]}" in shop[0]
    assert [line for line in shop if line.startswith("held back")] == [
        f"held back: VirtualService, until {RELEASES['storefront'][1]} routes to Service storefront"
    ]
    assert "Keep the setting" in story.said["before"]


def test_a_file_that_calls_a_removed_service_is_reported(story: Story) -> None:
    assert f"{TEAM}/storefront: API_URL names Service my-api-my-api" in story.said["before"]


def test_what_differs_in_a_new_object_is_reported_and_no_secret(story: Story) -> None:
    said = story.said["before"]
    assert len(re.findall("^ +differences from the former object", said, re.MULTILINE)) == 1, said
    assert "spec.template.spec.containers[mailer].env: removed (not shown)" in said
    assert "hunter2" not in said


def test_everything_but_what_must_not_be_there_twice_comes_up_beside(story: Story) -> None:
    assert story.names("beside", "my-api") == {
        f"{kind} my-api" for kind in ("Deployment", "NetworkPolicy", "Service", "ServiceAccount")
    }
    assert "VirtualService storefront" not in story.specs["beside"]
    assert {"ServiceMonitor storefront", "PodDisruptionBudget storefront"} <= story.names(
        "beside", "storefront"
    )
    assert "CronJob nightly" not in story.specs["beside"]


def test_nothing_of_a_release_is_changed_by_an_up(story: Story) -> None:
    for step in ("beside", "left out"):
        for former, spec in story.specs["before"].items():
            assert story.specs[step][former] == spec, f"{former}, {step}"


def test_the_setting_cannot_be_taken_out_before_the_move_is_done(story: Story) -> None:
    run = story.too_early
    assert run.code == 1
    assert f"ServiceMonitor, VirtualService of {TEAM}/my-api" in run.output
    assert "put `sre-platform:adopt: true` back" in run.output


def test_new_pods_are_as_many_as_the_autoscaler_had_made_of_the_former(story: Story) -> None:
    for step in ("beside", "routed", "done", "next version"):
        assert story.specs[step]["Deployment my-api"]["replicas"] == PODS, step
    (container,) = story.specs["next version"]["Deployment my-api"]["template"]["spec"][
        "containers"
    ]
    assert container["image"].endswith(":v1.0.1")


def test_pods_of_both_can_be_evicted(story: Story) -> None:
    assert 500 not in story.evicted.values()


def test_an_app_left_out_again_leaves_what_its_release_runs(story: Story) -> None:
    assert story.names("left out", "my-api") == set()
    assert "my-api-db" in story.secrets["left out"]


def test_the_commands_back_undo_those_there(story: Story) -> None:
    moved, back = story.specs["moved"], story.specs["moved back"]
    assert moved != back
    assert back == story.specs["beside"]


def test_what_was_held_back_comes_once_traffic_has_moved(story: Story) -> None:
    came = story.specs["routed"].keys() - story.specs["beside"].keys()
    assert came == {"VirtualService my-api", "VirtualService storefront", "CronJob nightly"}
    assert story.specs["routed"]["CronJob nightly-nightly"]["suspend"] is True


def test_from_there_too_all_goes_back(story: Story) -> None:
    assert story.specs["routed back"] == story.specs["beside"]


def test_once_the_former_objects_are_deleted_the_rest_comes(story: Story) -> None:
    assert story.specs["done"].keys() == {
        f"{each['kind']} {own_name(each)}" for each in story.former
    }
    assert not said_of(story.said["done"], "my-api")
    assert re.search(r"Resources:\n +\d+ unchanged\n", story.said["done"]), story.said["done"]


def test_from_the_end_too_all_goes_back(story: Story) -> None:
    step = "back from the end"
    assert story.names(step, "my-api") == set()
    former = {name for name in story.specs["before"] if name.endswith(" my-api-my-api")}
    assert former <= story.specs[step].keys()
    assert "my-api-db" in story.secrets[step]


def test_without_the_setting_nothing_changes(story: Story) -> None:
    said = story.said["setting out"]
    assert re.search(r"Resources:\n +~ 1 to update\n +\d+ unchanged\n", said), said
