"""What an app's keys do to containers that really run; node_keys.yaml has the apps."""

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.kubernetes import Cluster, Object
from sandbox.servers import container_node, parts
from sandbox.servers.images import BUSYBOX, Image, digest
from sandbox.servers.processes import Process
from tests.checkouts import Checkout, finished
from tests.optional import available
from tests.servers.conftest import (
    cluster_of,
    nothing_differs,
    record_of,
    start,
    stopped_at_the_end,
    until,
)
from tests.servers.test_node import pods, pull_secret, push, secret
from tests.servers.test_packets import APP, processes_of
from tools.doctor.pods import is_ready

pytestmark = pytest.mark.servers

TEAM, FILE = "team-keys", "tenants/team-keys.yaml"
SHOP_CONF = "tenants/team-keys/shop.conf"
SECRETS = {
    "shop-db": {"user": "app", "host": "db"},
    "shop-mail": {"host": "former", "port": "25"},
    "shop-new-mail": {"host": "new"},
    "shop-name": {"value": "Shop"},
    "shop-tls": {"tls.crt": "certificate\n", "tls.key": "key\n", "other": "other\n"},
}
OF_THE_IMAGE = "of the image\n"
NET_BIND_SERVICE = 1 << 10  # linux/capability.h
NONE = "0000000000000000"


def of_the_image(program: str = "", capabilities: int = 0) -> Image:
    """Busybox with a folder that every user may write to; `program` is a copy with capabilities."""
    files = {"/etc/shop/other": OF_THE_IMAGE, "/etc/passwd": "app:x:65532:65531::/:/bin/sh\n"}
    image = Image.make(files, ["/bin/false"])
    stream = io.BytesIO(gzip.decompress(image.layer))
    with tarfile.open(fileobj=stream, mode="a") as archive:
        folder = tarfile.TarInfo("srv/plugins")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(folder)
        if program:
            content = BUSYBOX.read_bytes()
            file = tarfile.TarInfo(program)
            file.mode, file.size = 0o755, len(content)
            file.pax_headers = {"SCHILY.xattr.security.capability": effective(capabilities)}
            archive.addfile(file, io.BytesIO(content))
    plain = stream.getvalue()
    config = json.loads(image.config)
    config["rootfs"]["diff_ids"] = [digest(plain)]
    config["config"]["Entrypoint"] = ["/bin/env", "BY=, by the entry point"]
    return Image(gzip.compress(plain, 1, mtime=0), json.dumps(config).encode())


def effective(capabilities: int) -> str:
    """What `setcap ...+ep` writes (linux/capability.h: vfs_cap_data, version 2)."""
    numbers = (0x02000001, capabilities, 0, 0, 0)
    return b"".join(number.to_bytes(4, "little") for number in numbers).decode("ascii")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The team of node_keys.yaml, with the Secrets that an operator would bring."""
    available(container_node.require)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("keys") / "checkout")) as checkout:
        start(checkout, parts.NODE)
        step = Image.make({}, ["/bin/sh", "-c", "echo second >>/tmp/order"])
        able = of_the_image("bin/busybox.able", NET_BIND_SERVICE)
        for name, image in (("tool", of_the_image()), ("step", step), ("able", able)):
            push(checkout, image, f"{TEAM}/{name}", "v1.0.0")
        checkout.edit("Pulumi.dev.yaml", 'sre-platform:teams: "*"', f"sre-platform:teams: [{TEAM}]")
        shutil.copyfile(Path(__file__).with_name("node_keys.yaml"), checkout.folder / FILE)
        (checkout.folder / SHOP_CONF).parent.mkdir()
        (checkout.folder / SHOP_CONF).write_text("level = info\n")
        cluster = cluster_of(checkout)
        up = checkout.start("up")
        until(lambda: cluster.get("v1", "Namespace", None, TEAM))
        cluster.apply(pull_secret(checkout, TEAM), "test")
        for name, content in SECRETS.items():
            cluster.apply(secret(TEAM, name, content), "test")
        run = finished(up, 600)
        assert run.code == 0, run.output
        yield checkout


def pod_of(cluster: Cluster, app: str) -> Object:
    """The one that is not being deleted."""
    (pod,) = (pod for pod in pods(cluster, TEAM) if pod["metadata"]["labels"].get(APP) == app)
    return pod


def status_of(pod: Object) -> Object:
    """The one of the app's container."""
    (status,) = pod["status"]["containerStatuses"]
    return status


def now(cluster: Cluster, pod: Object) -> Object:
    """The same pod as it is now."""
    found = cluster.get("v1", "Pod", TEAM, pod["metadata"]["name"])
    assert found
    return found


def of_job(cluster: Cluster, job: str) -> list[Object]:
    listed = cluster.list("v1", "Pod", TEAM)
    return [pod for pod in listed if pod["metadata"]["labels"].get("job-name") == job]


def run_of(cluster: Cluster, cronjob: str) -> None:
    """Start a run of it now."""
    found = cluster.get("batch/v1", "CronJob", TEAM, cronjob)
    assert found
    metadata = {"name": cronjob, "namespace": TEAM}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    cluster.create(job | {"spec": found["spec"]["jobTemplate"]["spec"]})


def ended_run(cluster: Cluster, cronjob: str) -> Object:
    """The pod of a run of it, which has ended."""
    run_of(cluster, cronjob)

    def ended() -> list[Object]:
        found = of_job(cluster, cronjob)
        return [pod for pod in found if pod["status"]["phase"] in ("Succeeded", "Failed")]

    until(ended)
    (pod,) = ended()
    return pod


def log_of(checkout: Checkout, pod: Object, lines: int, container: str = "") -> list[str]:
    """What a container, by default the app's, has printed, once that is so many lines.

    That includes restarts.
    """
    node = Process(record_of(checkout).folder, parts.NODE).pid
    (child,) = Path(f"/proc/{node}/task/{node}/children").read_text("ascii").split()
    metadata = pod["metadata"]
    folder = Path(f"/proc/{child}/root/var/log/pods")
    folder /= f"{TEAM}_{metadata['name']}_{metadata['uid']}"
    folder /= container or status_of(pod)["name"]

    def read() -> list[str]:
        files = sorted(folder.glob("*.log"))
        # The runtime puts the time, the stream and a mark for cut lines before each.
        return [line.split(" ", 3)[3] for file in files for line in file.read_text().splitlines()]

    until(lambda: len(read()) >= lines)
    return read()


def process_of(pod: Object) -> Path:
    """The folder in /proc of the first process of the app's container."""
    container = status_of(pod)["containerID"].rpartition("/")[2]
    own = [each for each in processes_of(pod) if container in (each / "cgroup").read_text()]
    return min(own, key=lambda each: int(each.name))


def root_of(pod: Object) -> Path:
    """The file system as the app sees it."""
    return process_of(pod) / "root"


def tried(pod: Object, user: int, group: int, script: str) -> subprocess.CompletedProcess[str]:
    """A shell among the app's files, as somebody else and without further groups."""
    place = ["nsenter", f"--target={process_of(pod).name}", "--mount"]
    identity = [f"--setuid={user}", f"--setgid={group}"]
    shell = ["--", "/bin/sh", "-c", script]
    return subprocess.run([*place, *identity, *shell], capture_output=True, text=True)


@contextmanager
def told_to_end(cluster: Cluster, pod: Object) -> Iterator[Object]:
    """The pod as it is when its deletion begins; its last status stays to be read."""
    merge = "application/merge-patch+json"
    path = cluster.path("v1", "Pod", TEAM, pod["metadata"]["name"])
    kept = {"metadata": {"finalizers": ["example.com/read"]}}
    cluster.call("PATCH", path, kept, None, merge)
    try:
        yield cluster.call("DELETE", path)
    finally:
        cluster.call("PATCH", path, {"metadata": {"finalizers": None}}, None, merge)


def end_of(cluster: Cluster, pod: Object) -> Object:
    """How the app's container ended."""

    def terminated() -> Object:
        end: Object = status_of(now(cluster, pod))["state"].get("terminated", {})
        return end

    until(terminated)
    return terminated()


def happened(cluster: Cluster, name: str, reason: str, message: str = "") -> bool:
    """Whether there is such an event about an object of that name."""
    return any(
        event["reason"] == reason and message in event["message"]
        for event in cluster.list("v1", "Event", TEAM)
        if event["involvedObject"]["name"] == name
    )


# Who it runs as, and its words and variables


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("as-the-file-says", ["10001", "10002", "10002 10003", "Shop"]),
        ("as-the-image-says", ["65532", "65531", "65531 65532", "Shop, by the entry point"]),
        # Kubernetes takes the group from the image's /etc/passwd, and not from its configuration.
        ("of-no-known-user", ["65532", "0", "0 65532", "Shop"]),
    ],
)
def test_a_process_has_the_user_and_groups_and_reads_its_secret_files(
    checkout: Checkout, app: str, said: list[str]
) -> None:
    assert log_of(checkout, ended_run(cluster_of(checkout), app), 4) == said


def test_a_process_gets_its_words_and_variables(checkout: Checkout) -> None:
    pod = ended_run(cluster_of(checkout), "variables")
    assert log_of(checkout, pod, 8) == [
        "app at db",
        "SHOP_ADDRESS=app@db",
        "SHOP_LOGIN=app",
        "SHOP_NAME=Shop",
        "SHOP_db_host=db",
        "SHOP_db_user=app",
        "SHOP_mail_host=new",
        "SHOP_mail_port=26",
    ]


# What is mounted


def test_secret_files_are_for_the_apps_group_alone(checkout: Checkout) -> None:
    pod = pod_of(cluster_of(checkout), "secret-files")
    assert log_of(checkout, pod, 2) == [
        "certificate",
        "touch: /etc/shop/tls/new: Read-only file system",
    ]
    folder = root_of(pod) / "etc/shop/tls"
    assert {each.name for each in folder.iterdir() if not each.name.startswith("..")} == {
        "tls.crt",
        "tls.key",
    }
    for name in ("tls.crt", "tls.key"):
        seen = (folder / name).stat()
        assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (0, 10002, 0o440)
    read = "cat /etc/shop/tls/tls.key"
    assert tried(pod, 10001, 10002, read).stdout == "key\n"
    for user, group in ((10001, 10001), (65532, 65532)):
        assert "Permission denied" in tried(pod, user, group, read).stderr


def test_secret_files_change_in_place(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "secret-files")
    file = root_of(pod) / "etc/shop/tls/tls.crt"
    cluster.apply(secret(TEAM, "shop-tls", {**SECRETS["shop-tls"], "tls.crt": "renewed\n"}), "test")
    # The kubelet looks about once a minute, and when the pod changes.
    path = cluster.path("v1", "Pod", TEAM, pod["metadata"]["name"])
    patch = {"metadata": {"annotations": {"example.com/changed": "secret"}}}
    cluster.call("PATCH", path, patch, None, "application/merge-patch+json")
    until(lambda: file.read_text() == "renewed\n")
    assert status_of(now(cluster, pod))["restartCount"] == 0


def test_files_are_as_written_and_nobody_changes_them(checkout: Checkout) -> None:
    pod = pod_of(cluster_of(checkout), "files")
    root = root_of(pod)
    assert (root / "etc/shop/app.yaml").read_text() == 'level: info\nmotto: "Grüße, $HOME"\n'
    assert (root / "etc/shop/other").read_text() == OF_THE_IMAGE
    assert log_of(checkout, pod, 2) == ["level = info", "mine"]
    for file in ("/etc/shop/app.yaml", "/srv/conf/shop.conf"):
        # Even root, which may write to any file that is not read-only.
        assert "Read-only file system" in tried(pod, 0, 0, f"echo x >>{file}").stderr


def test_pods_roll_when_a_file_changes(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    former = pod_of(cluster, "files")
    checkout.edit(SHOP_CONF, "info", "debug")
    run = checkout.up()
    assert run.steps("updated") == {
        f"ConfigMap {TEAM}/files-files",
        f"Deployment {TEAM}/files",
    }
    pod = pod_of(cluster, "files")
    assert pod["metadata"]["name"] != former["metadata"]["name"]
    assert log_of(checkout, pod, 2) == ["level = debug", "mine"]


def claim_of(cluster: Cluster) -> Object:
    claim = cluster.get("v1", "PersistentVolumeClaim", TEAM, "store-data")
    assert claim
    return claim


def test_a_volume_belongs_to_the_apps_group(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    assert claim_of(cluster)["status"]["phase"] == "Bound"
    log = root_of(pod_of(cluster, "store")) / "data/log"
    until(lambda: log.exists() and log.read_text())
    assert (log.stat().st_uid, log.stat().st_gid) == (10001, 10003)
    assert log.read_text() == "start of first\n"


def test_the_next_pod_has_the_data_once_the_former_has_ended(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    checkout.edit(FILE, "value: first", "value: second")
    checkout.up()
    log = root_of(pod_of(cluster, "store")) / "data/log"
    until(lambda: "second" in log.read_text())
    assert log.read_text() == "start of first\nend of first\nstart of second\n"


def test_a_volume_grows_under_its_pod(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "store")
    checkout.edit(FILE, "size: 1Gi", "size: 2Gi")
    checkout.up()
    until(lambda: claim_of(cluster)["status"]["capacity"] == {"storage": "2Gi"})
    assert pod_of(cluster, "store")["metadata"]["uid"] == pod["metadata"]["uid"]
    assert (root_of(pod) / "data/log").read_text().endswith("start of second\n")


# Steps before the app


def test_steps_run_in_order_before_the_app_and_are_hardened(checkout: Checkout) -> None:
    pod = ended_run(cluster_of(checkout), "steps")
    assert log_of(checkout, pod, 2) == ["first", "second"]
    assert log_of(checkout, pod, 3, "first") == [
        "65532",
        f"CapEff:\t{NONE}",
        "touch: /x: Read-only file system",
    ]


def test_an_app_does_not_start_after_a_step_that_fails(checkout: Checkout) -> None:
    pod = ended_run(cluster_of(checkout), "broken-step")
    failed, after_it = pod["status"]["initContainerStatuses"]
    assert failed["state"]["terminated"]["exitCode"] == 7
    for status in (after_it, status_of(pod)):
        assert status["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert pod["status"]["phase"] == "Failed"


def test_a_step_that_fails_runs_again_and_the_app_after_it(checkout: Checkout) -> None:
    pod = pod_of(cluster_of(checkout), "second-try")
    assert log_of(checkout, pod, 3) == ["try", "try", "app"]
    (step,) = pod["status"]["initContainerStatuses"]
    assert step["restartCount"] == 1


# How it ends


def test_an_app_is_told_to_end_once_its_command_has_ended(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "drains")
    root = root_of(pod)
    said = root / "dev/termination-log"
    with told_to_end(cluster, pod):
        until(said.read_text)
        assert said.read_text() == "drains\n"
        (root / "tmp/drained").touch()
        end = end_of(cluster, pod)
    assert (end["exitCode"], end["message"]) == (0, "drains\ndrained\ntold to end\n")


def test_an_app_runs_on_for_the_seconds_before_it_is_told_to_end(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "lingers")
    said = root_of(pod) / "dev/termination-log"
    with told_to_end(cluster, pod):
        # Without these seconds, the signal would follow this event at once.
        until(lambda: happened(cluster, pod["metadata"]["name"], "Killing"))
        with said.open("a") as log:
            log.write("ending\n")
        end = end_of(cluster, pod)
    assert (end["exitCode"], end["message"]) == (0, "ending\ntold to end\n")


def test_what_does_not_end_in_time_is_killed_its_command_included(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "stubborn")
    with told_to_end(cluster, pod) as ending:
        assert ending["metadata"]["deletionGracePeriodSeconds"] == 2
        end = end_of(cluster, pod)
    assert (end["exitCode"], end["message"]) == (137, "drains\ntold to end\n")


# Probes


def test_liveness_waits_until_startup_succeeds(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "starts-slowly")
    asked = root_of(pod) / "tmp/asked"
    until(lambda: "liveness" in asked.read_text())
    assert asked.read_text().splitlines()[:5] == [*(["startup"] * 4), "liveness"]
    assert status_of(now(cluster, pod))["restartCount"] == 0


@pytest.mark.parametrize("app", ["deaf", "wedged"])
def test_a_container_that_liveness_gives_up_is_restarted(checkout: Checkout, app: str) -> None:
    cluster = cluster_of(checkout)

    def again() -> bool:
        pod = pod_of(cluster, app)
        return status_of(pod)["restartCount"] > 0 and is_ready(pod)

    until(again)
    name = pod_of(cluster, app)["metadata"]["name"]
    killed = f"Container {app} failed liveness probe, will be restarted"
    until(lambda: happened(cluster, name, "Killing", killed))


def serves(cluster: Cluster, service: str) -> list[bool]:
    """Whether each endpoint of a Service gets requests."""
    return [
        endpoint["conditions"]["ready"]
        for each in cluster.list("discovery.k8s.io/v1", "EndpointSlice", TEAM)
        if each["metadata"]["labels"]["kubernetes.io/service-name"] == service
        for endpoint in each["endpoints"] or ()
    ]


def test_a_pod_that_is_not_ready_gets_no_requests(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "gated")
    assert serves(cluster, "gated") == [True]
    closed = root_of(pod) / "tmp/closed"
    closed.touch()
    for process in processes_of(pod):
        if (process / "cmdline").read_bytes().startswith(b"httpd"):
            os.kill(int(process.name), signal.SIGTERM)
    until(lambda: serves(cluster, "gated") == [False])
    assert not is_ready(now(cluster, pod))
    closed.unlink()
    until(lambda: serves(cluster, "gated") == [True])
    assert status_of(now(cluster, pod))["restartCount"] == 0


def test_an_app_with_its_probes_off_is_ready_although_it_answers_none(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    pod = pod_of(cluster, "unprobed")
    assert is_ready(pod)
    assert serves(cluster, "unprobed") == [True]


# Exceptions from the hardening, and the same without them


def test_only_a_writable_root_is_written_to_and_only_where_the_user_may(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    assert log_of(checkout, ended_run(cluster, "rewrites"), 2) == [
        "written",
        "touch: /new: Permission denied",
    ]
    assert log_of(checkout, ended_run(cluster, "only-reads"), 2) == [
        "touch: /srv/plugins/new: Read-only file system",
        "touch: /new: Read-only file system",
    ]


def test_only_the_apps_own_low_port_needs_no_privilege(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    refused = "httpd: bind: Permission denied"
    pod = pod_of(cluster, "low-port")
    assert log_of(checkout, pod, 3) == ["65532", "81", refused]
    assert is_ready(pod)  # the probe connects to port 81
    # Without the exception, it is as the runtime has it.
    pod = pod_of(cluster, "unprobed")
    user, first, *_ = log_of(checkout, pod, 2)
    expected = [user, first, *(refused for port in (80, 81) if port < int(first))]
    assert log_of(checkout, pod, len(expected)) == expected


def test_a_capability_is_only_possible_unless_the_program_file_has_it(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    allowed = f"{NET_BIND_SERVICE:016x}"

    def seen(app: str) -> list[str]:
        """The effective capabilities, and the most that are possible."""
        lines = log_of(checkout, ended_run(cluster, app), 2)
        return [line.partition("\t")[2] for line in lines]

    assert seen("may-not") == [NONE, NONE]
    assert seen("may-bind") == [NONE, allowed]
    assert seen("able") == [allowed, allowed]
    # A program that the container's own starts gains nothing.
    assert seen("able-in-a-shell") == [NONE, allowed]


def test_a_program_file_with_a_capability_does_not_start_without_it(checkout: Checkout) -> None:
    pod = ended_run(cluster_of(checkout), "able-without")
    assert status_of(pod)["state"]["terminated"]["exitCode"] != 0
    (said,) = log_of(checkout, pod, 1)
    assert said.endswith("exec /bin/busybox.able: operation not permitted")


# Runs


def test_a_run_has_as_many_pods_as_it_says_and_as_many_at_once(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    run_of(cluster, "batch")

    def running() -> list[Object]:
        return [pod for pod in of_job(cluster, "batch") if pod["status"]["phase"] == "Running"]

    until(lambda: len(running()) == 2)
    first = running()
    assert len(of_job(cluster, "batch")) == 2
    for pod in first:
        (root_of(pod) / "tmp/go").touch()

    def third() -> list[Object]:
        former = {pod["metadata"]["uid"] for pod in first}
        return [pod for pod in running() if pod["metadata"]["uid"] not in former]

    until(third)
    for pod in third():
        (root_of(pod) / "tmp/go").touch()

    def succeeded() -> bool:
        job = cluster.get("batch/v1", "Job", TEAM, "batch")
        conditions = job["status"].get("conditions", ()) if job else ()
        return any(condition["type"] == "Complete" for condition in conditions)

    until(succeeded)
    assert len(of_job(cluster, "batch")) == 3


def test_a_run_is_deleted_after_its_time(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)
    ended_run(cluster, "kept")
    run_of(cluster, "forgotten")
    until(lambda: cluster.get("batch/v1", "Job", TEAM, "forgotten") is None)
    until(lambda: happened(cluster, "forgotten", "Completed"))
    assert cluster.get("batch/v1", "Job", TEAM, "kept")


def test_only_a_cronjob_that_is_not_suspended_starts_runs(checkout: Checkout) -> None:
    cluster = cluster_of(checkout)

    def runs(cronjob: str) -> list[Object]:
        return [
            job
            for job in cluster.list("batch/v1", "Job", TEAM)
            for owner in job["metadata"].get("ownerReferences", ())
            if owner["name"] == cronjob
        ]

    until(lambda: any(job["status"].get("succeeded") for job in runs("every-minute")))
    assert runs("paused") == []


def test_nothing_differs_afterwards(checkout: Checkout) -> None:
    nothing_differs(checkout)
