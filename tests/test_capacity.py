"""Teams that do not fit their quota: where it is reported, and how."""

from pathlib import Path

import pulumi
import pytest

from cli.__main__ import main
from specs.load import load_team
from tests.conftest import Program
from tests.written import accepted, entry, place, reported, rows, settings, team, warned

NOTHING_TO_SCALE = "autoscaling: {enabled: false}"


def small(quota: str, *entries: str) -> str:
    """A file with this quota and these apps; the sidecar requests 50m/64Mi, at most 200m/256Mi."""
    return team(f"quota: {{{quota}}}\napps:\n" + "".join(entries))


def api(in_app: str = "", beside: str = NOTHING_TO_SCALE) -> str:
    return entry(in_app, beside, name="api")


def report(in_app: str = "", beside: str = "") -> str:
    return entry(in_app, beside, archetype="cronjob", name="report")


def refused(folder: Path, text: str, said: str) -> None:
    """It is reported once, at the mark, and nothing else is."""
    text, where = place(text)
    assert reported(folder, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


REQUESTS_CPU = "apps[0].app.resources.requests.cpu: the team's apps request"


@rows(
    {
        "requests of CPU": (
            small(
                "requests: {cpu: 1500m}",
                api("replicas: 4\nresources: {requests: {cpu: «400m}}"),
            ),
            f"{REQUESTS_CPU} 1800m at rest and 2250m while api rolls out, over "
            "quota.requests.cpu 1500m (a pod of api takes 450m, including its sidecar); lower it "
            "to 250m, or raise quota.requests.cpu to 2250m",
        ),
        "requests of memory": (
            small(
                "requests: {memory: 1G}",
                api("replicas: 3\nresources: {requests: {memory: «0.25Gi}}"),
            ),
            "apps[0].app.resources.requests.memory: the team's apps request 960Mi at rest and "
            "1280Mi while api rolls out, over quota.requests.memory 1G (a pod of api takes "
            "320Mi, including its sidecar); lower it to 174Mi, or raise quota.requests.memory to "
            "1280Mi",
        ),
        "limits of CPU": (
            small("limits: {cpu: 2}", api("resources: {limits: {cpu: «1}}")),
            "apps[0].app.resources.limits.cpu: the team's apps request 2400m at rest and 3600m "
            "while api rolls out, over quota.limits.cpu 2 (a pod of api takes 1200m, including "
            "its sidecar); lower it to 466m, or raise quota.limits.cpu to 3600m",
        ),
        "limits of memory, in bytes": (
            small("limits: {memory: 1500000000}", api("resources: {limits: {memory: «600000001}}")),
            "apps[0].app.resources.limits.memory: the team's apps request 1736870914 at rest and "
            "2605306371 while api rolls out, over quota.limits.memory 1500000000 (a pod of api "
            "takes 868435457, including its sidecar); lower it to 220Mi, or raise "
            "quota.limits.memory to 2605306371",
        ),
        "pods": (
            small("pods: 4", api("replicas: «5")),
            "apps[0].app.replicas: the team's apps request 5 pods at rest and 7 while api rolls "
            "out, over quota.pods 4; lower it to 3, or raise quota.pods to 7",
        ),
        "pods of autoscaling": (
            small("pods: 5", api("replicas: 3", "autoscaling: {minReplicas: «6}")),
            "apps[0].autoscaling.minReplicas: the team's apps request 6 pods at rest and 8 while "
            "api rolls out, over quota.pods 5; lower it to 4, or raise quota.pods to 8",
        ),
        "pods, where another app's rollout takes more than its own": (
            small(
                "pods: 9, limits: {cpu: 10}",
                api("replicas: «6"),
                entry("replicas: 5", archetype="worker"),
            ),
            "apps[0].app.replicas: the team's apps request 11 pods at rest and 13 while api rolls "
            "out, over quota.pods 9; lower it to 2, or raise quota.pods to 13",
        ),
        "Services": (
            small(
                "services: 1",
                api(),
                entry(archetype="worker", name="«queue"),
                entry(beside="serviceMonitor: {enabled: false}", archetype="worker", name="b"),
            ),
            "apps[1].app.name: the team's apps request 2 services at rest, over quota.services 1; "
            "raise quota.services to 2",
        ),
    }
)
def test_a_team_that_cannot_run_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "of what asks for most, though another rolls out": (
            small(
                "requests: {cpu: 1200m}",
                api("replicas: 4\nresources: {requests: {cpu: «150m}}"),
                entry(
                    "replicas: 1\nresources: {requests: {cpu: 250m}}",
                    "podDisruptionBudget: {enabled: false}",
                    archetype="worker",
                ),
            ),
            f"{REQUESTS_CPU} 1100m at rest and 1400m while my-api rolls out, over "
            "quota.requests.cpu 1200m (a pod of api takes 200m, including its sidecar); lower it "
            "to 100m, or raise quota.requests.cpu to 1400m",
        ),
        "by one pod": (
            small("pods: 4", api("replicas: «4")),
            "apps[0].app.replicas: the team's apps request 4 pods at rest and 5 while api rolls "
            "out, over quota.pods 4; lower it to 3, or raise quota.pods to 5",
        ),
        "by a thousandth of a core": (
            small("requests: {cpu: 449m}", api("resources: {requests: {cpu: «0.1}}")),
            f"{REQUESTS_CPU} 300m at rest and 450m while api rolls out, over quota.requests.cpu "
            "449m (a pod of api takes 150m, including its sidecar); lower it to 99m, or raise "
            "quota.requests.cpu to 450m",
        ),
        "by a byte": (
            small("requests: {memory: 603979775}", api("resources: {requests: {memory: «128Mi}}")),
            "apps[0].app.resources.requests.memory: the team's apps request 384Mi at rest and "
            "576Mi while api rolls out, over quota.requests.memory 603979775 (a pod of api takes "
            "192Mi, including its sidecar); lower it to 127Mi, or raise quota.requests.memory to "
            "576Mi",
        ),
    }
)
def test_a_team_that_cannot_roll_out_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "of the cronjob's resources": (
            small("requests: {cpu: 800m}", api(), report("resources: {requests: {cpu: «500m}}")),
            "apps[1].app.resources.requests.cpu: the team's apps request 300m at rest and 850m "
            "while report runs, over quota.requests.cpu 800m (a pod of report takes 550m, "
            "including its sidecar); lower it to 450m, or raise quota.requests.cpu to 850m",
        ),
        "of another app's, which ask for more": (
            small(
                "requests: {cpu: 1}",
                api("resources: {requests: {cpu: «300m}}"),
                report("resources: {requests: {cpu: 400m}}"),
            ),
            f"{REQUESTS_CPU} 700m at rest and 1150m while report runs, over quota.requests.cpu 1 "
            "(a pod of api takes 350m, including its sidecar); lower it to 225m, or raise "
            "quota.requests.cpu to 1150m",
        ),
        "of the pods": (
            small("pods: 0", report(beside="schedule: «{cron: '@daily'}")),
            "apps[0].schedule: the team's apps request 0 pods at rest and 1 while report runs, "
            "over quota.pods 0; raise quota.pods to 1",
        ),
    }
)
def test_a_team_whose_cronjob_cannot_run_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "by the LimitRange": (
            small("requests: {cpu: 400m}", api().replace("name", "«name")),
            f"{REQUESTS_CPU} 300m at rest and 450m while api rolls out, over quota.requests.cpu "
            "400m (a pod of api takes 150m, including its sidecar); set it to 83m, or raise "
            "quota.requests.cpu to 450m",
        ),
        "by the file's LimitRange": (
            "limitRange: {default: {memory: 1Gi}}\n"
            + small(
                "limits: {memory: 3Gi}",
                api("resources: {limits: «{cpu: 400m}}"),
            ),
            "apps[0].app.resources.limits.memory: the team's apps request 2560Mi at rest and "
            "3840Mi while api rolls out, over quota.limits.memory 3Gi (a pod of api takes "
            "1280Mi, including its sidecar); set it to 768Mi, or raise quota.limits.memory to "
            "3840Mi",
        ),
    }
)
def test_what_a_default_requests_is_reported_where_it_could_be_set(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "of a limit that the request is near": (
            small(
                "requests: {cpu: 6}, limits: {cpu: 6}",
                api("replicas: 5\nresources: {requests: {cpu: 700m}, limits: {cpu: «800m}}"),
            ),
            "apps[0].app.resources.limits.cpu: the team's apps request 5 at rest and 7 while api "
            "rolls out, over quota.limits.cpu 6 (a pod of api takes 1, including its sidecar); "
            "lower app.replicas to 4, or raise quota.limits.cpu to 7",
        ),
        "of a request that the LimitRange holds up": (
            "limitRange: {min: {cpu: 50m}}\n"
            + small(
                "requests: {cpu: 500m}", api("replicas: 5\nresources: {requests: {cpu: «60m}}")
            ),
            f"{REQUESTS_CPU} 550m at rest and 770m while api rolls out, over quota.requests.cpu "
            "500m (a pod of api takes 110m, including its sidecar); lower app.replicas to 3, or "
            "raise quota.requests.cpu to 770m",
        ),
        "of a request, by autoscaling": (
            "limitRange: {min: {cpu: 50m}}\n"
            + small(
                "requests: {cpu: 500m}",
                api("resources: {requests: {cpu: «50m}}", "autoscaling: {minReplicas: 5}"),
            ),
            f"{REQUESTS_CPU} 500m at rest and 700m while api rolls out, over quota.requests.cpu "
            "500m (a pod of api takes 100m, including its sidecar); lower autoscaling.minReplicas "
            "to 4, or raise quota.requests.cpu to 700m",
        ),
        "of a limit, as far as nodes can be drained": (
            small(
                "limits: {memory: 1536Mi}",
                api(
                    "replicas: 3\nresources: {requests: {memory: 512Mi}, limits: {memory: «512Mi}}",
                ),
            ),
            "apps[0].app.resources.limits.memory: the team's apps request 2304Mi at rest and 3Gi "
            "while api rolls out, over quota.limits.memory 1536Mi (a pod of api takes 768Mi, "
            "including its sidecar); raise quota.limits.memory to 3Gi",
        ),
        "of two cronjobs that each ask for too much": (
            small(
                "requests: {cpu: 300m}",
                entry("resources: {requests: {cpu: 400m}}", archetype="cronjob", name="cleanup"),
                report("resources: {requests: {cpu: «500m}}"),
            ),
            "apps[1].app.resources.requests.cpu: the team's apps request 0 at rest and 550m "
            "while report runs, over quota.requests.cpu 300m (a pod of report takes 550m, "
            "including its sidecar); raise quota.requests.cpu to 550m",
        ),
        "of memory, below which nothing runs": (
            small("requests: {memory: 130Mi}", report("resources: {requests: {memory: «67Mi}}")),
            "apps[0].app.resources.requests.memory: the team's apps request 0 at rest and 131Mi "
            "while report runs, over quota.requests.memory 130Mi (a pod of report takes 131Mi, "
            "including its sidecar); lower it to 66Mi, or raise quota.requests.memory to 131Mi",
        ),
    }
)
def test_only_what_would_suffice_is_recommended(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


def test_istios_own_sidecar_counts_where_the_stack_sets_none(tmp_path: Path) -> None:
    text, where = place(small("limits: {cpu: 7}", api("resources: {limits: {cpu: «500m}}")))
    assert reported(tmp_path, text, istio={}) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].app.resources.limits.cpu: the team's apps "
        "request 5 at rest and 7500m while api rolls out, over quota.limits.cpu 7 (a pod of "
        "api takes "
        "2500m, including its sidecar); lower it to 333m, or raise quota.limits.cpu to 7500m"
    ]


@rows(
    {
        "more CPU": (
            team("limitRange: {max: {cpu: «100m}, default: {cpu: 100m}}"),
            "limitRange.max.cpu: 100m is under the limit of each pod's sidecar, 200m, so no pod "
            "can start; raise it to 200m",
        ),
        "more memory": (
            team("limitRange: {max: {memory: «200M}, default: {memory: 200M}}"),
            "limitRange.max.memory: 200M is under the limit of each pod's sidecar, 256Mi, so no "
            "pod can start; raise it to 256Mi",
        ),
        "less CPU": (
            team("limitRange: {min: {cpu: «0.051}}"),
            "limitRange.min.cpu: 0.051 is over the request of each pod's sidecar, 50m, so no pod "
            "can start; lower it to 50m",
        ),
        "less memory": (
            team("limitRange: {min: {memory: «65Mi}}"),
            "limitRange.min.memory: 65Mi is over the request of each pod's sidecar, 64Mi, so no "
            "pod can start; lower it to 64Mi",
        ),
    }
)
def test_a_limit_range_that_refuses_the_sidecar_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, said)


def test_what_uses_the_whole_quota_fits(tmp_path: Path) -> None:
    quota = (
        "requests: {cpu: 450m, memory: 576Mi}, limits: {cpu: 2100m, memory: 2304Mi}, "
        "pods: 3, services: 1"
    )
    assert warned(tmp_path, small(quota, api())) == []


@pytest.mark.parametrize("lifecycle", ["suspended", "offboarding"])
def test_a_team_that_does_not_run_uses_no_pods(tmp_path: Path, lifecycle: str) -> None:
    text = small("pods: 0, requests: {cpu: 1m}", api(), report())
    assert warned(tmp_path, f"{text}lifecycle: {lifecycle}\n") == []


def test_services_of_a_suspended_team_stay(tmp_path: Path) -> None:
    text = small("services: 0", entry(name="«api"))
    refused(
        tmp_path,
        f"{text}lifecycle: suspended\n",
        "apps[0].app.name: the team's apps request 1 service at rest, over quota.services 0; raise "
        "quota.services to 1",
    )
    accepted(tmp_path, text.replace("«", "") + "lifecycle: offboarding\n")


def test_a_file_that_says_something_else_than_its_author_meant_is_not_added_up(
    tmp_path: Path,
) -> None:
    refused(
        tmp_path,
        small("pods: 1", api("«replica: 1")),
        "apps[0].app.replica: is an unknown key; did you mean 'replicas'?",
    )


def test_a_mistake_of_another_kind_is_reported_beside_it(tmp_path: Path) -> None:
    lines = reported(tmp_path, small("pods: 2", api("port: 15090\nreplicas: 2")))
    assert [line.split(": ")[1] for line in lines] == ["apps[0].app.port", "apps[0].app.replicas"]


MORE = "the full scale of all apps"


@rows(
    {
        "one alone": (
            small("pods: 7", api(beside="autoscaling: {maxReplicas: «8}")),
            "apps[0].autoscaling.maxReplicas: warning: only 7 of 8 replicas fit beside the other "
            f"apps at rest; lower it to 7, or raise quota.pods to 8, {MORE}",
        ),
        "a default, by several resources": (
            small(
                "requests: {cpu: 1, memory: 4Gi}, limits: {memory: 7Gi}",
                entry().replace("archetype", "«archetype"),
            ),
            "apps[0].autoscaling.maxReplicas: warning: only 6 of 10 replicas fit beside the other "
            "apps at rest; lower it to 6, or raise quota.requests.cpu to 1500m and "
            f"quota.limits.memory to 7680Mi, {MORE}",
        ),
        "runs of a cronjob": (
            small(
                "pods: 5",
                api(),
                report(
                    beside="schedule: {cron: '@hourly', concurrencyPolicy: «Allow, "
                    "activeDeadlineSeconds: 14401}"
                ),
            ),
            "apps[1].schedule.concurrencyPolicy: warning: only 3 of 5 runs at once fit beside "
            f"the other apps at rest; set it to Forbid, or raise quota.pods to 7, {MORE}",
        ),
        "not one alone, but all together": (
            small(
                "pods: 8",
                api(beside="autoscaling: {maxReplicas: «5}"),
                entry(beside="autoscaling: {maxReplicas: 4}"),
            ),
            "apps[0].autoscaling.maxReplicas: warning: only 4 of 5 replicas fit beside the other "
            f"apps at full scale; lower it to 4, or raise quota.pods to 9, {MORE}",
        ),
        "all together, where none can go down so far": (
            small(
                "pods: 6",
                api(beside="autoscaling: {maxReplicas: «4}"),
                entry(beside="autoscaling: {maxReplicas: 4}"),
                report(),
                entry(archetype="cronjob", name="cleanup"),
            ),
            "apps[0].autoscaling.maxReplicas: warning: only 0 of 4 replicas fit beside the other "
            "apps at full scale; lower it to 2 and lower theirs, or raise quota.pods to 10, "
            f"{MORE}",
        ),
        "two cronjobs together": (
            small(
                "requests: {cpu: 1}",
                entry(
                    "resources: {requests: {cpu: 600m}, limits: {cpu: 1}}",
                    "schedule: «{cron: '@daily'}",
                    archetype="cronjob",
                ),
                report("resources: {requests: {cpu: 500m}}"),
            ),
            "apps[0].schedule: warning: its run does not fit beside the other apps at full scale; "
            f"raise quota.requests.cpu to 1200m, {MORE}",
        ),
    }
)
def test_a_full_scale_out_of_reach_is_a_warning(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert warned(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_each_app_that_cannot_reach_its_full_scale_causes_a_warning(tmp_path: Path) -> None:
    scaled = "autoscaling: {maxReplicas: 8}"
    text = small("pods: 9", api(beside=scaled), entry(beside=scaled), report())
    assert [line.split("; ")[0] for line in warned(tmp_path, text)] == [
        f"tenants/team-alpha.yaml:{line}:32: apps[{index}].autoscaling.maxReplicas: warning: only "
        "7 of 8 replicas fit beside the other apps at rest"
        for index, line in enumerate([8, 13])
    ]


def test_a_cronjob_that_forbids_or_replaces_runs_has_one_at_once(tmp_path: Path) -> None:
    for policy in ("Forbid", "Replace"):
        schedule = f"schedule: {{cron: '* * * * *', concurrencyPolicy: {policy}}}"
        assert warned(tmp_path, small("pods: 1", report(beside=schedule))) == []


def test_where_something_is_wrong_there_are_no_warnings(tmp_path: Path) -> None:
    text = small("pods: 7, services: 0", api(beside="autoscaling: {maxReplicas: 8}"))
    file = tmp_path / "team-alpha.yaml"
    file.write_text(text)
    loaded = load_team(file, file.name, settings())
    assert loaded.problems
    assert loaded.warnings == ()


SCALED = small("pods: 7", api(beside="autoscaling: {maxReplicas: 8}"))


def test_validate_prints_warnings_on_stderr_and_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("team-alpha.yaml").write_text(SCALED)
    assert main(["validate", "team-alpha.yaml"]) == 0
    output = capsys.readouterr()
    assert output.out == "1 team file checked, no problems.\n"
    assert output.err == (
        "team-alpha.yaml:8:32: apps[0].autoscaling.maxReplicas: warning: only 7 of 8 replicas fit "
        f"beside the other apps at rest; lower it to 7, or raise quota.pods to 8, {MORE}\n"
    )


def test_the_program_logs_a_warning(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lines.append)
    assert program(SCALED).resources
    (line,) = lines
    assert "alpha.yaml:8:32: apps[0].autoscaling.maxReplicas: only 7 of 8 replicas fit" in line


def test_the_program_makes_nothing_for_a_team_that_does_not_fit(program: Program) -> None:
    with pytest.raises(pulumi.RunError, match=r"over quota\.pods 2; raise quota\.pods to 3$"):
        program(small("pods: 2", api()))


def test_a_sidecar_below_the_default_minimum_is_reported_in_each_team_s_file(
    tmp_path: Path,
) -> None:
    proxy = {
        "requests": {"cpu": "10m", "memory": "64Mi"},
        "limits": {"cpu": "200m", "memory": "256Mi"},
    }
    assert reported(tmp_path, team(""), istio={"proxy": proxy}) == [
        "tenants/team-alpha.yaml:1:1: limitRange.min.cpu: 50m is over the request of each pod's "
        "sidecar, 10m, so no pod can start; lower it to 10m"
    ]
    accepted(tmp_path, team("limitRange: {min: {cpu: null}}"), istio={"proxy": proxy})


def test_a_resource_without_a_limit_holds_any_number_of_apps(tmp_path: Path) -> None:
    limits = "requests: {cpu: null, memory: null}, limits: {cpu: null, memory: null}"
    many = api("replicas: 400")
    accepted(tmp_path, small(f"{limits}, pods: null", many))
    text, where = place(small(limits, api("replicas: «400")))
    (problem,) = reported(tmp_path, text)
    assert problem.startswith(
        f"tenants/team-alpha.yaml:{where}: apps[0].app.replicas: the team's apps request 400 pods"
    )


def test_a_full_scale_is_compared_with_the_limits_that_exist(tmp_path: Path) -> None:
    beside = "autoscaling: {maxReplicas: 50}"
    assert warned(tmp_path, small("limits: {cpu: null}, requests: {cpu: null}", api("", beside)))
    without = "limits: {cpu: null, memory: null}, requests: {cpu: null, memory: null}, pods: null"
    assert warned(tmp_path, small(without, api("", beside))) == []


def test_a_quota_that_limits_nothing_is_refused(tmp_path: Path) -> None:
    limits = "requests: {cpu: null, memory: null}, limits: {cpu: null, memory: null}"
    counts = "pods: null, services: null, persistentvolumeclaims: null"
    text, where = place(team(f"quota: «{{{limits}, {counts}}}"))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: quota: must limit at least one resource; set a limit, "
        "such as pods"
    ]
    accepted(tmp_path, team(f"quota: {{{limits}, pods: null, services: null}}"))
