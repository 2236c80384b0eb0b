"""A cronjob: when it runs and how, and that its runs end."""

from tests.conftest import Program
from tests.program import (
    APP,
    CONFIG_MAP,
    CRON_JOB,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    cronjob,
)

IT = "team-alpha/report"
SELECTOR = {"app.kubernetes.io/name": "report", "app.kubernetes.io/instance": "report"}


def test_a_cronjob_consists_of_what_the_guide_lists_and_its_monitoring(program: Program) -> None:
    made = program(cronjob())
    app = str(made.one(APP, IT))
    assert {one.type for one in made.resources if one.parent == app} == {
        CRON_JOB,
        SERVICE_ACCOUNT,
        NETWORK_POLICY,
        PROMETHEUS_RULE,
        CONFIG_MAP,
    }


def test_what_its_schedule_leaves_out_has_the_guide_s_values(program: Program) -> None:
    job = program(cronjob()).one(CRON_JOB, IT)
    assert job.inputs["apiVersion"] == "batch/v1"
    spec = {key: value for key, value in job.spec.items() if key != "jobTemplate"}
    assert spec == {
        "schedule": "0 2 * * *",
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
    }
    run = job.spec["jobTemplate"]["spec"]
    assert (run["activeDeadlineSeconds"], run["backoffLimit"]) == (3600, 3)
    assert job.pod["restartPolicy"] == "Never"


def test_every_part_of_its_schedule_can_be_set(program: Program) -> None:
    keys = """
    schedule:
      cron: "*/7 1-5 * 1,6 mon-fri"
      timezone: Asia/Kolkata
      concurrencyPolicy: Replace
      startingDeadlineSeconds: 60
      activeDeadlineSeconds: 30
      backoffLimit: 0
      restartPolicy: OnFailure
      successfulJobsHistoryLimit: 0
      failedJobsHistoryLimit: 9
    """
    job = program(cronjob(keys)).one(CRON_JOB, IT)
    assert job.spec["schedule"] == "*/7 1-5 * 1,6 mon-fri"
    assert job.spec["timeZone"] == "Asia/Kolkata"
    assert job.spec["concurrencyPolicy"] == "Replace"
    assert job.spec["startingDeadlineSeconds"] == 60
    assert job.spec["successfulJobsHistoryLimit"] == 0
    assert job.spec["failedJobsHistoryLimit"] == 9
    run = job.spec["jobTemplate"]["spec"]
    assert (run["activeDeadlineSeconds"], run["backoffLimit"]) == (30, 0)
    assert job.pod["restartPolicy"] == "OnFailure"


def test_its_runs_carry_the_app_s_labels(program: Program) -> None:
    made = program(cronjob())
    job, account = made.one(CRON_JOB, IT), made.one(SERVICE_ACCOUNT, IT)
    assert job.spec["jobTemplate"]["metadata"]["labels"] == account.labels


def test_it_has_neither_probes_nor_ports(program: Program) -> None:
    container = program(cronjob()).one(CRON_JOB, IT).container
    assert not {"livenessProbe", "readinessProbe", "ports"} & container.keys()


def test_if_enabled_it_is_scraped_through_a_headless_service(program: Program) -> None:
    made = program(cronjob("serviceMonitor: {enabled: true, port: 7070, path: /m, interval: 2m}"))
    service = made.one(SERVICE, f"{IT}-metrics")
    assert service.metadata["name"] == "report-metrics"
    assert service.spec == {
        "type": "ClusterIP",
        "clusterIP": "None",
        "selector": SELECTOR,
        "ports": [
            {"name": "http-metrics", "port": 7070, "targetPort": "metrics", "protocol": "TCP"}
        ],
    }
    monitor = made.one(SERVICE_MONITOR, IT).spec
    assert monitor["selector"] == {"matchLabels": SELECTOR}
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["interval"]) == ("http-metrics", "2m")
    (port,) = made.one(CRON_JOB, IT).container["ports"]
    assert port == {"name": "metrics", "containerPort": 7070, "protocol": "TCP"}
