"""Every kind of mistake in a team's file: where it is reported, and how."""

import random
import re
from pathlib import Path

import pytest

from specs.load import load_team
from specs.problem import Problem
from tests.written import (
    ROOT,
    accepted,
    app,
    dev_settings,
    entry,
    place,
    reported,
    rows,
    settings,
    team,
)

# Assembled here, so that no scanner reports a line of this file as a leak.
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
JWT = ".".join(["eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0In0", "c2lnbmF0dXJl"])
SECRETS = ("hunter2", GITHUB, "48151623")


def refused(folder: Path, text: str, said: str) -> None:
    """It is reported once, at the mark, and nothing else is."""
    text, where = place(text)
    assert reported(folder, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


TOP = (
    "use one of: team, lifecycle, namespace, access, quota, limitRange, registry, defaultAlerts, "
    "apps"
)
BESIDE = (
    "use one of: archetype, app, serviceMonitor, networkPolicy, serviceAccount, alerts, "
    "defaultAlerts, exceptions, calls, strategy, autoscaling, podDisruptionBudget"
)


@rows(
    {
        "of the file": (team("«aps: []"), "aps: is an unknown key; did you mean 'apps'?"),
        "of the file, like no other": (team("«color: red"), f"color: is an unknown key; {TOP}"),
        "that is a number": (team("«1: x"), f"1: is an unknown key; {TOP}"),
        "of the quota": (
            team("quota: {«pod: 5}"),
            "quota.pod: is an unknown key; did you mean 'pods'?",
        ),
        "of the quota's limits": (
            team("quota: {limits: {«disk: 1}}"),
            "quota.limits.disk: is an unknown key; use one of: cpu, memory",
        ),
        "of the quota's requests": (
            team("quota: {requests: {«gpu: 1}}"),
            "quota.requests.gpu: is not supported here; "
            "no pod gets a device of its node; remove it",
        ),
        "of the access": (
            team("access: {«admins: [x]}"),
            "access.admins: is an unknown key; use one of: developers, viewers, roles",
        ),
        "of an entry": (
            app(beside="«ingres: {}"),
            "apps[0].ingres: is an unknown key; did you mean 'ingress'?",
        ),
        "of an entry, like no other": (
            app(beside="«color: red", archetype="worker"),
            f"apps[0].color: is an unknown key; {BESIDE}",
        ),
        "of an app": (
            app("«Port: 8080"),
            "apps[0].app.Port: is an unknown key; did you mean 'port'?",
        ),
        "deep inside": (
            app("probes: {liveness: {«periodSecond: 5}}"),
            "apps[0].app.probes.liveness.periodSecond: is an unknown key; "
            "did you mean 'periodSeconds'?",
        ),
        "of a variable": (
            app("env: [{name: A, «secret: x}]"),
            "apps[0].app.env[0].secret: is an unknown key; did you mean 'secretRef'?",
        ),
        "of a resource that is not managed": (
            app("resources: {requests: {«ephemeral-storage: 1Gi}}"),
            "apps[0].app.resources.requests.ephemeral-storage: is not supported here; "
            "only cpu and memory are counted; remove it",
        ),
        "of Kubernetes, not of the guide": (
            app(beside="podDisruptionBudget: {«unhealthyPodEvictionPolicy: AlwaysAllow}"),
            "apps[0].podDisruptionBudget.unhealthyPodEvictionPolicy: is not supported here; "
            "remove it",
        ),
        "of a network rule's other direction": (
            app(beside="networkPolicy: {additionalEgress: [{«from: [{podSelector: {}}]}]}"),
            "apps[0].networkPolicy.additionalEgress[0].from: is not supported here; "
            "use `to`, or move the rule to `additionalIngress`",
        ),
        "one level too high": (
            app(beside="«replicas: 3"),
            "apps[0].replicas: does not belong here; move it into `app`",
        ),
        "one level too high, though like another": (
            app(beside="«args: [x]", archetype="worker"),
            "apps[0].args: does not belong here; move it into `app`",
        ),
        "one level too low": (
            app("«ingress: {enabled: false}"),
            "apps[0].app.ingress: does not belong here; move it out of `app`, one level up",
        ),
        "the archetype one level too low": (
            app("«archetype: web-app"),
            "apps[0].app.archetype: does not belong here; move it out of `app`, one level up",
        ),
    }
)
def test_an_unknown_key_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "the team": ("«apps: []\n", "team: is missing; add it, such as `team: team-alpha`"),
        "the archetype": (
            team("apps:\n  - «app: {name: a}\n"),
            "apps[0].archetype: is missing; add it: web-app, worker or cronjob",
        ),
        "the whole app": (
            team("apps:\n  - «archetype: web-app\n"),
            "apps[0].app: is missing; add it, with name and image below it",
        ),
        "the app's name": (
            team(
                "apps:\n  - archetype: web-app\n    app: «{image: {tag: v1, repository: "
                "harbor.sre.internal/team-alpha/a}}\n"
            ),
            "apps[0].app.name: is missing; add it, such as `name: my-api`",
        ),
        "the whole image": (
            team("apps:\n  - archetype: web-app\n    app: «{name: a}\n"),
            "apps[0].app.image: is missing; add it, with repository and tag below it",
        ),
        "the image's tag": (
            app(image="«{repository: harbor.sre.internal/team-alpha/my-api}"),
            'apps[0].app.image.tag: is missing; add it, such as `tag: "v1.0.0"`',
        ),
        "the image's repository": (
            app(image="«{tag: v1.0.0}"),
            "apps[0].app.image.repository: is missing; add it, such as "
            "`repository: harbor.sre.internal/team-alpha/my-api`",
        ),
        "a cronjob's schedule": (
            app(archetype="cronjob", beside="schedule: «{}"),
            'apps[0].schedule.cron: is missing; add it, such as `cron: "0 2 * * *"`',
        ),
        "a variable's name": (
            app("env: [«{value: x}]"),
            "apps[0].app.env[0].name: is missing; add it, such as `name: LOG_LEVEL`",
        ),
        "an alert's expression": (
            app(beside="alerts: [«{name: Down}]"),
            "apps[0].alerts[0].expr: is missing; add it, such as "
            "`expr: 'rate(http_errors_total[5m]) > 0.05'`",
        ),
        "a probe's command": (
            app("probes: {liveness: {exec: «{}}}", archetype="worker"),
            "apps[0].app.probes.liveness.exec.command: is missing; add it, such as "
            """`command: ["/bin/sh", "-c", "pgrep -f '[w]orker' || exit 1"]`""",
        ),
    }
)
def test_a_missing_key_is_reported_once(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "ingress of a worker": (
            app(beside="«ingress: {enabled: true}", archetype="worker"),
            "apps[0].ingress: does not fit a worker, only a web-app; "
            "remove it or change `archetype`",
        ),
        "a schedule of a web-app": (
            app(beside="«schedule: {cron: '@daily'}"),
            "apps[0].schedule: does not fit a web-app, only a cronjob; "
            "remove it or change `archetype`",
        ),
        "autoscaling of a cronjob": (
            app(beside="«autoscaling: {enabled: true}", archetype="cronjob"),
            "apps[0].autoscaling: does not fit a cronjob, only a web-app or worker; "
            "remove it or change `archetype`",
        ),
        "a disruption budget of a cronjob": (
            app(beside="«podDisruptionBudget: {}", archetype="cronjob"),
            "apps[0].podDisruptionBudget: does not fit a cronjob, only a web-app or worker; "
            "remove it or change `archetype`",
        ),
        "a port of a worker": (
            app("«port: 8080", archetype="worker"),
            "apps[0].app.port: does not fit a worker, only a web-app; "
            "remove it or change `archetype`",
        ),
        "probes of a cronjob": (
            app("«probes: {}", archetype="cronjob"),
            "apps[0].app.probes: does not fit a cronjob, only a web-app or worker; "
            "remove it or change `archetype`",
        ),
        "a metrics port of a web-app": (
            app(beside="serviceMonitor: {«port: 9090}"),
            "apps[0].serviceMonitor.port: does not fit a web-app, only a worker or cronjob; "
            "remove it or change `archetype`",
        ),
    }
)
def test_a_key_of_another_archetype_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


ARCHETYPES = "is not one of web-app, worker, cronjob"


@rows(
    {
        "misspelt": (
            app(archetype="«webapp"),
            f"apps[0].archetype: 'webapp' {ARCHETYPES}; did you mean web-app?",
        ),
        "in capitals": (
            app(archetype="«Worker"),
            f"apps[0].archetype: 'Worker' {ARCHETYPES}; did you mean worker?",
        ),
        "like none": (
            app(archetype="«5"),
            f"apps[0].archetype: '5' {ARCHETYPES}; use web-app, worker or cronjob",
        ),
        "a list": (
            app(archetype="«[worker]"),
            f"apps[0].archetype: {ARCHETYPES}; use web-app, worker or cronjob",
        ),
        "keys": (
            app(archetype="«{worker: true}"),
            f"apps[0].archetype: {ARCHETYPES}; use web-app, worker or cronjob",
        ),
    }
)
def test_an_unknown_archetype_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


EMPTY = "is empty; give it a value or remove it"
DIGITS = "must be a whole number; write digits only, such as"


@rows(
    {
        "a list for the team": (
            team("").replace("team-alpha", "«[a]"),
            "team: must be text, not a list; write a single value",
        ),
        "keys for the team": (
            team("").replace("team-alpha", "«{a: b}"),
            "team: must be text, not a mapping; write a single value",
        ),
        "nothing for the team": (
            "team:«\n",
            "team: is empty; fill it in, such as `team: team-alpha`",
        ),
        "what its tag does not fit": (
            app("port: «!!bool maybe"),
            f"apps[0].app.port: {DIGITS} 8080",
        ),
        "a date that is none": (app("port: «!!timestamp soon"), f"apps[0].app.port: {DIGITS} 8080"),
        "keys for the apps": (
            team("apps: «{}"),
            "apps: must be a list; begin each entry with '- '",
        ),
        "nothing for the apps": (team("apps:«"), f"apps: {EMPTY}"),
        "nothing for the quota": (team("quota: «null"), f"quota: {EMPTY}"),
        "an empty entry": (team("apps:\n  - «~\n"), f"apps[0]: {EMPTY}"),
        "a word for an entry": (
            team("apps: [«web-app]"),
            "apps[0]: must be a mapping; write `key: value` lines below it",
        ),
        "a word for a mapping": (
            app(beside="ingress: «true"),
            "apps[0].ingress: must be a mapping; write keys below it: enabled, host, hosts, "
            "gateway, paths, timeout, retries, cors",
        ),
        "an image on one line": (
            app(image="«harbor.sre.internal/team-alpha/my-api:v1"),
            "apps[0].app.image: must be a mapping; write keys below it: repository, tag, digest, "
            "pullPolicy",
        ),
        "a quoted number": (app('port: «"8080"'), f"apps[0].app.port: {DIGITS} 8080"),
        "a number with a fraction": (app("port: «8080.0"), f"apps[0].app.port: {DIGITS} 8080"),
        "a number in octal": (team("quota: {pods: «010}"), f"quota.pods: {DIGITS} 20"),
        "a number in base 60": (team("quota: {pods: «1:30}"), f"quota.pods: {DIGITS} 20"),
        "a number with a unit": (
            team("registry: {storageQuota: «50Gi}"),
            f"registry.storageQuota: {DIGITS} 50",
        ),
        "true for a number": (app("replicas: «true"), f"apps[0].app.replicas: {DIGITS} 2"),
        "a quoted truth": (
            app(beside='autoscaling: {enabled: «"true"}'),
            "apps[0].autoscaling.enabled: must be true or false; write it without quotes",
        ),
        "keys for a list": (
            app("env: «{A: b}"),
            "apps[0].app.env: must be a list; begin each entry with '- '",
        ),
        "a text for a command": (
            app("command: «run", archetype="worker"),
            "apps[0].app.command: must be a list; begin each entry with '- '",
        ),
        "a number for an argument": (
            app("args: [«8080]", archetype="worker"),
            'apps[0].app.args[0]: YAML reads this as a number; put it in quotes: "8080"',
        ),
        "a number for a variable": (
            app("env: [{name: CACHE_TTL, value: «300}]"),
            "apps[0].app.env[0].value: YAML reads this as a number; put it in quotes",
        ),
        "yes for a variable": (
            app("env: [{name: DEBUG, value: «yes}]"),
            "apps[0].app.env[0].value: YAML reads this as true or false; put it in quotes",
        ),
        "a number for a duration": (
            app(beside="serviceMonitor: {interval: «30}"),
            "apps[0].serviceMonitor.interval: '30' is not a duration; "
            "write one such as 30s, 10m or 1h",
        ),
        "a word that is not on the list": (
            app(
                image="{repository: harbor.sre.internal/team-alpha/my-api, tag: v1, "
                "pullPolicy: «always}"
            ),
            "apps[0].app.image.pullPolicy: 'always' is not one of Always, IfNotPresent, Never; "
            "did you mean Always?",
        ),
        "below zero": (team("quota: {pods: «-1}"), "quota.pods: -1 is below 0; write 0 or more"),
        "more than can be counted": (
            app("replicas: «3000000000"),
            "apps[0].app.replicas: 3000000000 is too large for Kubernetes; lower it",
        ),
        "no size": (
            team("registry: {storageQuota: «0}"),
            "registry.storageQuota: 0 is not a size; write whole GiB, 1 or more",
        ),
        "no lifetime": (
            team("registry: {robots: {duration: «0}}"),
            "registry.robots.duration: 0 is not a lifetime; write days, or -1 for no expiry",
        ),
        "a group that Harbor refuses": (
            team(f"access: {{developers: [«{'d' * 256}]}}"),
            "access.developers[0]: has 256 characters, but Harbor allows at most 255; shorten it",
        ),
        "a lifetime that Harbor refuses": (
            team("registry: {robots: {duration: «2147483647}}"),
            "registry.robots.duration: 2147483647 is not a lifetime; write days, or -1 for "
            "no expiry",
        ),
        "a retention that Harbor refuses": (
            team("registry: {retention: {mostRecentlyPushed: «32767}}"),
            "registry.retention.mostRecentlyPushed: 32767 is too large for Harbor; lower it",
        ),
        "a template that asks for more than the alert knows": (
            app(beside="alerts: [{name: Down, expr: up, summary: «'{{ query \"up\" }}'}]"),
            "apps[0].alerts[0].summary: contains a template; "
            "write only {{ $labels.NAME }} and {{ $value }}",
        ),
        "no alert severity": (
            app(beside="alerts: [{name: Down, expr: up, severity: «high}]"),
            "apps[0].alerts[0].severity: 'high' is not one of info, warning, critical; "
            "use info, warning or critical",
        ),
        "no percentage": (
            app(beside="defaultAlerts: {unavailable: {percent: «101}}"),
            "apps[0].defaultAlerts.unavailable.percent: 101 is not a percentage; write 1 to 100",
        ),
        "a default alert of another archetype": (
            app(beside="defaultAlerts: {«jobFailed: {enabled: false}}"),
            "apps[0].defaultAlerts.jobFailed: does not fit a web-app, only a cronjob; remove it or "
            "change `archetype`",
        ),
        "no alert duration": (
            app(beside="alerts: [{name: Down, expr: up, for: «10 minutes}]"),
            "apps[0].alerts[0].for: '10 minutes' is not a duration; "
            "write one such as 30s, 10m or 1h",
        ),
        "no path": (
            app("probes: {liveness: {path: «healthz}}"),
            "apps[0].app.probes.liveness.path: 'healthz' does not begin with '/'; "
            "write a path such as /healthz",
        ),
        "a tag of YAML": (
            team("quota: «!python/object {}"),
            "quota: the YAML tag '!python/object' is not supported; remove it",
        ),
    }
)
def test_a_wrong_type_or_value_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


def image(repository: str = "harbor.sre.internal/team-alpha/my-api", tag: str = "v1.0.0") -> str:
    return app(image=f"{{repository: {repository}, tag: {tag}}}")


PIN = 'pin one such as "v1.0.0"'
DIGEST = "contains a digest; write only the version here, and the digest in `digest`"


@rows(
    {
        "a number": ("«1.10", 'YAML reads this as a number; put it in quotes: "1.10"'),
        "a number in octal": ("«0123", 'YAML reads this as a number; put it in quotes: "0123"'),
        "a number in base 60": (
            "«1:30",
            "'1:30' contains ':'; use letters, digits, '_', '.' and '-' only",
        ),
        "a date": ("«2024-01-01", 'YAML reads this as a date; put it in quotes: "2024-01-01"'),
        "a truth": ("«on", 'YAML reads this as true or false; put it in quotes: "on"'),
        "latest": ("«latest", f"'latest' is not a version; {PIN}"),
        "latest in capitals": ("«LATEST", f"'LATEST' is not a version; {PIN}"),
        "empty": ('«""', 'the tag is empty; pin a version such as "v1.0.0"'),
        "nothing": ("«null", 'is empty; fill it in, such as `tag: "v1.0.0"`'),
        "a digest behind it": ("«v1@sha256:0123456789ab", f"'v1@sha256:0123456789ab' {DIGEST}"),
        "a digest": ("«sha256:0123456789ab", f"'sha256:0123456789ab' {DIGEST}"),
        "a space behind it": (
            '«"v1.0.0 "',
            "'v1.0.0 ' contains ' '; use letters, digits, '_', '.' and '-' only",
        ),
        "a list": ("«[v1.0.0]", "must be text, not a list; write a single value"),
    }
)
def test_a_tag_that_pins_no_version_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, image(tag=text), f"apps[0].app.image.tag: {said}")


HERE = "write harbor.sre.internal/team-alpha"
SHAPE = "is not a repository; write host/project/name in lower case"


@rows(
    {
        "another registry": (
            "«docker.io/library/nginx",
            f"'docker.io/library/nginx' is not in harbor.sre.internal; "
            f"push it there and {HERE}/nginx",
        ),
        "no registry": (
            "«nginx",
            f"'nginx' is not in harbor.sre.internal; push it there and {HERE}/my-api",
        ),
        "a registry that begins like ours": (
            "«harbor.sre.internal.evil.com/team-alpha/x",
            "'harbor.sre.internal.evil.com/team-alpha/x' is not in harbor.sre.internal; "
            f"push it there and {HERE}/x",
        ),
        "our registry in capitals": (
            "«HARBOR.sre.internal/team-alpha/x",
            "'HARBOR.sre.internal/team-alpha/x' is not in harbor.sre.internal; "
            f"push it there and {HERE}/x",
        ),
        "our registry with a port": (
            "«harbor.sre.internal:443/team-alpha/x",
            "'harbor.sre.internal:443/team-alpha/x' is not in harbor.sre.internal; "
            f"push it there and {HERE}/x",
        ),
        "another team's project": (
            "«harbor.sre.internal/team-beta/x",
            f"project 'team-beta' is neither the team's nor shared (shared: base-images); {HERE}/x",
        ),
        "a project that begins like ours": (
            "«harbor.sre.internal/team-alpha-evil/x",
            "project 'team-alpha-evil' is neither the team's nor shared (shared: base-images); "
            f"{HERE}/x",
        ),
        "a way out of the project": (
            "«harbor.sre.internal/team-alpha/../team-beta/x",
            f"'harbor.sre.internal/team-alpha/../team-beta/x' {SHAPE}",
        ),
        "no image": (
            "«harbor.sre.internal/team-alpha",
            f"'harbor.sre.internal/team-alpha' has no image name; {HERE}/my-api",
        ),
        "a tag in it": (
            "«harbor.sre.internal/team-alpha/x:v1",
            "contains a tag; write the version in `tag`",
        ),
        "a digest in it": (
            "«harbor.sre.internal/team-alpha/x@sha256:0123",
            "contains a digest; write only the repository, the version in `tag`, and the digest in "
            "`digest`",
        ),
        "a slash at its end": (
            "«harbor.sre.internal/team-alpha/x/",
            f"'harbor.sre.internal/team-alpha/x/' {SHAPE}",
        ),
        "capitals": (
            "«harbor.sre.internal/team-alpha/My-Api",
            f"'harbor.sre.internal/team-alpha/My-Api' {SHAPE}",
        ),
        "a scheme": (
            "«https://harbor.sre.internal/team-alpha/x",
            f"'https://harbor.sre.internal/team-alpha/x' {SHAPE}",
        ),
        "nothing": (
            '«""',
            f"'' is not in harbor.sre.internal; push it there and {HERE}/my-api",
        ),
    }
)
def test_a_repository_elsewhere_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, image(repository=text), f"apps[0].app.image.repository: {said}")


LABEL = "use lower-case letters, digits and '-' only"


@rows(
    {
        "in capitals": (app(name="«My-Api"), f"apps[0].app.name: 'My-Api' contains 'M'; {LABEL}"),
        "with an underscore": (
            app(name="«my_api"),
            f"apps[0].app.name: 'my_api' contains '_'; {LABEL}",
        ),
        "not of ASCII": (app(name="«café"), f"apps[0].app.name: 'café' contains 'é'; {LABEL}"),
        "with a space behind it": (
            app(name='«"api "'),
            f"apps[0].app.name: 'api ' contains ' '; {LABEL}",
        ),
        "with a dash at its end": (
            app(name="«api-"),
            "apps[0].app.name: 'api-' ends with '-'; start and end with a letter or digit",
        ),
        "empty": (app(name='«""'), "apps[0].app.name: the name is empty; write 1 to 63 characters"),
        "too long": (
            app(name="«" + "a" * 64),
            f"apps[0].app.name: '{'a' * 40}'... has 64 characters; use 63 at most",
        ),
        "too long for a cronjob's runs": (
            app(name="«" + "a" * 53, archetype="cronjob"),
            "apps[0].app.name: has 53 characters, but a cronjob's name may have at most 52; "
            "shorten it",
        ),
        "too long for a metrics Service": (
            app(name="«" + "a" * 56, archetype="worker"),
            "apps[0].app.name: has 56 characters, but its Service <name>-metrics allows 55; "
            "shorten it",
        ),
        "with a digit that a Service cannot begin with": (
            app(name="«2fa"),
            "apps[0].app.name: '2fa' starts with a digit, but a Service name must "
            "not; start with a letter",
        ),
        "of a team in capitals": (
            "team: «Team-Alpha\n",
            f"team: 'Team-Alpha' contains 'T'; {LABEL}",
        ),
        "of a team with a space behind it": (
            'team: «"team-alpha "\n',
            f"team: 'team-alpha ' contains ' '; {LABEL}",
        ),
    }
)
def test_a_name_that_objects_cannot_have_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@rows(
    {
        "the file's name differs": (
            "team: «team-beta\n",
            "team: 'team-beta' does not match the file name; write team-alpha, or rename the file",
        ),
        "the file's name differs from a number": (
            "team: «5\n",
            "team: '5' does not match the file name; write team-alpha, or rename the file",
        ),
        "an app names another team": (
            app("team: «team-beta"),
            "apps[0].app.team: 'team-beta' is not this file's team; "
            "write team-alpha or leave it out",
        ),
        "Kubernetes' own group": (
            team('access: {developers: [«"system:masters"]}'),
            "access.developers[0]: 'system:masters' is Kubernetes' own group; "
            "name a Keycloak group",
        ),
        "a group with a space behind it": (
            team('access: {viewers: [«"auditors "]}'),
            "access.viewers[0]: 'auditors ' is not a group's name; "
            "write one such as team-alpha-developers",
        ),
        "a group with two roles": (
            team("access: {developers: [a], viewers: [«a]}"),
            "access.viewers[0]: 'a' is also listed in developers; remove it from one of the two",
        ),
        "a group twice": (
            team("access: {developers: [a, «a]}"),
            "access.developers[1]: 'a' is listed twice; remove one",
        ),
        "unsigned images without a reason": (
            team("registry: {signatures: {enforce: «false}}"),
            "registry.signatures.enforce: is off without a reason; add `reason`, or turn it on",
        ),
        "tags that nobody can push again": (
            team("registry: {«immutableTags: true}"),
            "registry.immutableTags: is not supported here; "
            "Harbor's retention could not delete such images; remove it",
        ),
    }
)
def test_who_and_what_a_team_is_must_be_plain(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


@pytest.mark.parametrize(
    "name",
    [
        "default", "kube-public", "istio-system", "monitoring", "external-secrets", "root",
        "response-wrapping",
    ],
)  # fmt: skip
def test_a_team_named_like_a_namespace_of_the_platform_is_refused(
    tmp_path: Path, name: str
) -> None:
    assert reported(tmp_path, f"team: {name}\n", name) == [
        f"tenants/{name}.yaml:1:7: team: '{name}' is a namespace of the platform; "
        "choose another name"
    ]


def test_istio_s_own_namespace_cannot_be_a_team_s_wherever_the_gateways_are(tmp_path: Path) -> None:
    istio = {"gateways": ("istio-ingress/gateway",)}
    assert reported(tmp_path, "team: istio-system\n", "istio-system", istio=istio) == [
        "tenants/istio-system.yaml:1:7: team: 'istio-system' is a namespace of the platform; "
        "choose another name"
    ]


PROBE = "{exec: {command: [/bin/check]}}"


def test_a_worker_needs_both_probes_where_the_cluster_requires_them(tmp_path: Path) -> None:
    kubernetes = {"clusterIdentifier": "test", "requireProbes": True}
    text = app(f"probes: {{liveness: {PROBE}}}", archetype="worker")
    (problem,) = reported(tmp_path, text, kubernetes=kubernetes)
    assert problem.endswith(
        "apps[0].app.probes.readiness: is required on this cluster "
        "(sre-platform:kubernetes.requireProbes); add `readiness: {exec: {command: [...]}}`"
    )
    both = app(f"probes: {{liveness: {PROBE}, readiness: {PROBE}}}", archetype="worker")
    (tmp_path / "both").mkdir()
    assert reported(tmp_path / "both", both, kubernetes=kubernetes) == []


def test_a_team_name_that_harbor_refuses_is_reported_once(tmp_path: Path) -> None:
    text = app(image="{repository: harbor.sre.internal/pay--ments/api, tag: v1.0.0}")
    text = text.replace("team-alpha", "pay--ments")
    assert reported(tmp_path, text, "pay--ments") == [
        "tenants/pay--ments.yaml:1:7: team: 'pay--ments' has '-' twice in a row, which Harbor "
        "refuses in a project's name; write pay-ments"
    ]


@pytest.mark.parametrize("typed", ["no", "'no'"])
def test_a_team_name_that_yaml_reads_as_another_value_is_reported_once(
    tmp_path: Path, typed: str
) -> None:
    (problem,) = reported(tmp_path, f"team: {typed}\n", "no")
    assert problem.startswith("tenants/no.yaml:1:7: team: ")


@pytest.mark.parametrize("archetype", ["web-app", "worker", "cronjob"])
@pytest.mark.parametrize(
    "name", ["istio-proxy", "istio-init", "istio-validation", "enable-core-dump"]
)
def test_an_app_named_like_a_container_of_istio_s_is_refused(
    tmp_path: Path, archetype: str, name: str
) -> None:
    image = "{repository: harbor.sre.internal/team-alpha/a, tag: v1.0.0}"
    refused(
        tmp_path,
        app(name=f"«{name}", archetype=archetype, image=image),
        f"apps[0].app.name: '{name}' is the name of a container that Istio adds; "
        "choose another name",
    )


def test_a_team_named_like_a_shared_registry_project_is_refused(tmp_path: Path) -> None:
    assert reported(tmp_path, "team: base-images\n", "base-images") == [
        "tenants/base-images.yaml:1:7: team: 'base-images' is a shared registry project; "
        "choose another name"
    ]


@rows(
    {
        "two apps of one name": (
            team("apps:\n" + entry() + entry(name="«my-api", archetype="worker")),
            "apps[1].app.name: 'my-api' is also the name of another app of this team; rename one",
        ),
        "a worker's metrics Service and a web-app": (
            team("apps:\n" + entry(name="a-metrics") + entry(name="«a", archetype="worker")),
            "apps[1].app.name: its Service 'a-metrics' is already created by app 'a-metrics'; "
            "rename one",
        ),
        "a web-app and a cronjob's metrics Service": (
            team(
                "apps:\n"
                + entry(name="a", archetype="cronjob", beside="serviceMonitor: {enabled: true}")
                + entry(name="«a-metrics")
            ),
            "apps[1].app.name: its Service 'a-metrics' is already created by app 'a'; rename one",
        ),
        "a network policy of the namespace": (
            app(name="«allow-dns"),
            "apps[0].app.name: its NetworkPolicy 'allow-dns' is already created by the "
            "namespace itself; rename one",
        ),
        "the namespace's own alerts": (
            app(name="«team-alpha-quota"),
            "apps[0].app.name: its PrometheusRule 'team-alpha-quota' is already created by the "
            "namespace itself; rename one",
        ),
        "the namespace's service account": (
            app(name="«default"),
            "apps[0].app.name: its ServiceAccount 'default' is already created by the "
            "namespace itself; rename one",
        ),
        "the service account of the namespace's secret store": (
            app(name="«openbao-backend"),
            "apps[0].app.name: its ServiceAccount 'openbao-backend' is already created by the "
            "namespace itself; rename one",
        ),
        "the platform's pull secret": (
            app("env: [{name: A, secretRef: «harbor-pull}]"),
            "apps[0].app.env[0].secretRef: 'harbor-pull' is the platform's own secret; "
            "choose another name",
        ),
        "the platform's push secret": (
            app("env: [{name: A, secretRef: «harbor-push}]"),
            "apps[0].app.env[0].secretRef: 'harbor-push' is the platform's own secret; "
            "choose another name",
        ),
    }
)
def test_two_objects_of_the_same_kind_and_name_are_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, said)


SECRET_NAME = (
    "is not a secret's name; use lower-case letters, digits and '-', such as my-api-db-credentials"
)
SECRET_PATH = "must be a name, not a path; write only the name, such as my-api-db-credentials"
USE_REF = "use secretRef, or add `plain: true` if it is not a credential"


@rows(
    {
        "neither value nor secret": (
            "[«{name: A}]",
            "[0]: has neither value nor secretRef; add one of the two",
        ),
        "a value of nothing": (
            "[«{name: A, value: }]",
            "[0]: has neither value nor secretRef; add one of the two",
        ),
        "both": (
            "[«{name: A, value: x, secretRef: y}]",
            "[0]: has both value and secretRef; keep one of the two",
        ),
        "plain said of a secret": (
            "[{name: A, secretRef: x, plain: «true}]",
            "[0].plain: applies only to `value`; remove it",
        ),
        "a name twice": (
            "[{name: A, value: x}, {name: «A, value: y}]",
            "[1].name: 'A' is listed twice; remove one",
        ),
        "a name with a dash": (
            "[{name: «LOG-LEVEL, value: x}]",
            "[0].name: 'LOG-LEVEL' contains '-'; use letters, digits and '_' only",
        ),
        "a name that begins with a digit": (
            "[{name: «2FA, value: x}]",
            "[0].name: '2FA' starts with a digit; start with a letter or '_'",
        ),
        "an empty name": (
            '[{name: «"", value: x}]',
            "[0].name: the name is empty; write one such as LOG_LEVEL",
        ),
        "a name with its value": (
            "[{name: «MODE=hunter2, value: x}]",
            "[0].name: contains a '='; write only the name, and its value in `value`",
        ),
        "a credential for a name": (
            f"[{{name: «{GITHUB}, value: x}}]",
            "[0].name: contains the secret itself; write a name here, and use secretRef",
        ),
        "a password for a name": (
            '[{name: «"hunter2!", value: x}]',
            "[0].name: is not a variable's name; use letters, digits and '_', such as LOG_LEVEL",
        ),
        "a number for a name": (
            "[{name: «48151623, value: x}]",
            "[0].name: is not a variable's name; use letters, digits and '_', such as LOG_LEVEL",
        ),
        "a date for a name": (
            "[{name: «2026-01-31, value: x}]",
            "[0].name: is not a variable's name; use letters, digits and '_', such as LOG_LEVEL",
        ),
        "a variable on one line": (
            "[«A=b]",
            "[0]: must be a mapping; write keys below it: name, value, secretRef, key, plain",
        ),
        "a credential by its name": (
            "[{name: DB_PASSWORD, value: «hunter2}]",
            f"[0].value: its name says password; {USE_REF}",
        ),
        "a number that is a credential by its name": (
            "[{name: API_TOKEN, value: «48151623}]",
            f"[0].value: its name says token; {USE_REF}",
        ),
        "a credential by its form": (
            f"[{{name: HEADER, value: «{GITHUB}}}]",
            f"[0].value: its value looks like a GitHub token; {USE_REF}",
        ),
        "a credential inside a URL": (
            '[{name: DATABASE, value: «"postgres://app:hunter2@db/orders"}]',
            f"[0].value: its value looks like a URL with a password; {USE_REF}",
        ),
        "a credential for a secret's name": (
            f"[{{name: A, secretRef: «{GITHUB}}}]",
            "[0].secretRef: contains the secret itself; store it in OpenBao and write its "
            "name here",
        ),
        "a password for a secret's name": (
            '[{name: A, secretRef: «"hunter2!"}]',
            f"[0].secretRef: {SECRET_NAME}",
        ),
        "a number for a secret's name": (
            "[{name: A, secretRef: «48151623}]",
            "[0].secretRef: YAML reads this as a number; put it in quotes",
        ),
        "an empty secret's name": ('[{name: A, secretRef: «""}]', f"[0].secretRef: {SECRET_NAME}"),
        "a secret's name in capitals": (
            "[{name: A, secretRef: «My_Secret}]",
            f"[0].secretRef: {SECRET_NAME}",
        ),
        "another team's secret": (
            "[{name: A, secretRef: «../team-beta/x}]",
            f"[0].secretRef: {SECRET_PATH}",
        ),
        "a whole path": (
            "[{name: A, secretRef: «sre/team-alpha/x}]",
            f"[0].secretRef: {SECRET_PATH}",
        ),
        "a list for a value": (
            "[{name: A, value: «[hunter2]}]",
            "[0].value: must be text, not a list; write a single value",
        ),
    }
)
def test_a_wrong_variable_is_refused_and_no_secret_repeated(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, app(f"env: {text}"), f"apps[0].app.env{said}")
    assert not any(secret in said for secret in SECRETS)


WITH_REF = "add a variable with a secretRef, and write $(NAME) here"


@rows(
    {
        "in a web-app's arguments": (
            app(f"args: [serve, «{GITHUB}]"),
            f"args[1]: contains a GitHub token; {WITH_REF}",
        ),
        "in a command": (
            app(f"command: [/bin/run, «{GITHUB}]", archetype="worker"),
            f"command[1]: contains a GitHub token; {WITH_REF}",
        ),
        "in arguments": (
            app("args: [«'--password=hunter2']", archetype="cronjob"),
            f"args[0]: contains a connection string with a password; {WITH_REF}",
        ),
        "in what a shell runs": (
            app("command: [sh, -c, «'psql postgres://a:hunter2@db/x']", archetype="cronjob"),
            f"command[2]: contains a URL with a password; {WITH_REF}",
        ),
        "in a probe": (
            app(
                "probes: {liveness: {exec: {command: [curl, «'https://a:hunter2@localhost']}}}",
                archetype="worker",
            ),
            "probes.liveness.exec.command[1]: contains a URL with a password; "
            "add a variable with a secretRef, and let a shell read it",
        ),
        "after a flag": (
            app("args: [login, --password, «hunter2]"),
            f"args[2]: has the value of '--password', whose name says password; {WITH_REF}",
        ),
        "in a flag": (
            app("command: [/bin/run, «--api.token=hunter2]", archetype="worker"),
            f"command[1]: has the value of '--api.token', whose name says token; {WITH_REF}",
        ),
        "after a flag of one dash": (
            app("init: [{name: a, args: [-keypass, «hunter2]}]"),
            f"init[0].args[1]: has the value of '-keypass', whose name says password; {WITH_REF}",
        ),
        "after a flag of a shell's command": (
            app("args: [-c, «'cd /; redis-cli --user a --pass hunter2 ping']", archetype="cronjob"),
            f"args[1]: has the value of '--pass', whose name says password; {WITH_REF}",
        ),
        "after a probe's flag": (
            app(
                "probes: {liveness: {exec: {command: [check, --client-secret, «hunter2]}}}",
                archetype="worker",
            ),
            "probes.liveness.exec.command[2]: has the value of '--client-secret', whose name says "
            "secret; add a variable with a secretRef, and let a shell read it",
        ),
        "after a flag of the end": (
            app("preStop: {exec: {command: [/leave, --token, «hunter2]}}"),
            "preStop.exec.command[2]: has the value of '--token', whose name says token; "
            "add a variable with a secretRef, and let a shell read it",
        ),
    }
)
def test_a_credential_in_a_command_is_refused_and_not_repeated(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, f"apps[0].app.{said}")
    assert not any(secret in said for secret in SECRETS)


READ = "which everyone who sees the alert can read; remove it"


@rows(
    {
        "an image's tag": (
            app(image=f"{{repository: harbor.sre.internal/team-alpha/my-api, tag: «{GITHUB}}}"),
            'app.image.tag: contains a GitHub token; pin a version such as "v1.0.0"',
        ),
        "an alert's summary": (
            app(beside=f"alerts: [{{name: A, expr: up, summary: «see {GITHUB}}}]"),
            f"alerts[0].summary: contains a GitHub token, {READ}",
        ),
        "an alert's expression": (
            app(beside="alerts: [{name: A, expr: «'up{to=\"https://a:hunter2@b\"} == 0'}]"),
            f"alerts[0].expr: contains a URL with a password, {READ}",
        ),
    }
)
def test_a_credential_that_others_would_see_is_refused_and_not_repeated(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, f"apps[0].{said}")
    assert not any(secret in said for secret in SECRETS)


@pytest.mark.parametrize("secret", [GITHUB, "postgres://app:hunter2@db/orders", JWT])
@pytest.mark.parametrize(
    "text",
    [
        team("quota: {'{}': 5}"),
        team("lifecycle: '{}'"),
        team("apps: [{archetype: '{}'}]"),
        team("namespace: {labels: {'{}': x}}"),
        team("namespace: {annotations: {'example.com/x': '{}'}}"),
        team("limitRange: {max: {cpu: '{}'}}"),
        team("registry: {retention: {'{}': 1, '{}': 2}}"),
        app("'{}': x"),
        app("image: {repository: '{}', tag: v1}"),
        app(image="{repository: 'harbor.sre.internal/x/{}', tag: v1}"),
        app(image="{repository: harbor.sre.internal/team-alpha/x, tag: '{}'}"),
        app("writablePaths: [{path: '{}'}]"),
        app("writablePaths: [{path: '/{}'}, {path: '/{}'}]"),
        app("team: '{}'"),
        app("probes: {liveness: {path: '{}'}}"),
        app("env: [{name: '{}', value: x}]"),
        app("env: [{name: A, value: '$({})'}]"),
        app(beside="ingress: {enabled: true, host: '{}'}"),
        app(beside="ingress: {enabled: true, host: a.example.com, gateway: '{}'}"),
        app(beside="alerts: [{name: '{}', expr: up}]"),
        app(beside="alerts: [{name: A, expr: 'up{a=~\"{}(\"}'}]"),
        app(beside="alerts: [{name: A, expr: 'up{a=\"{}\"} >'}]"),
        app(beside="alerts: [{name: A, expr: up, for: '{}'}]"),
        app(beside="serviceMonitor: {interval: '{}'}"),
        app(beside="schedule: {cron: '{}'}", archetype="cronjob"),
        app(beside="schedule: {cron: '0 2 * * *', timezone: '{}'}", archetype="cronjob"),
        app(name="'{}'"),
    ],
)
def test_no_problem_repeats_a_credential_of_a_known_form(
    tmp_path: Path, text: str, secret: str
) -> None:
    said = reported(tmp_path, text.replace("{}", secret))
    assert said
    assert not any(part in line for line in said for part in ("hunter2", GITHUB[:12], JWT[:20]))


def test_the_rest_of_a_message_with_a_credential_stays() -> None:
    problem = Problem("a.yaml", 1, 2, "x", f"'{GITHUB}' is not a host, but {GITHUB}; write a name")
    assert str(problem) == "a.yaml:1:2: x: '[secret]' is not a host, but [secret]; write a name"


UNIT = "is not a quantity; write a number with a unit such as 128Mi or 500m"


@rows(
    {
        "that does not parse": ("{requests: {cpu: «lots}}", f"requests.cpu: 'lots' {UNIT}"),
        "with another unit": ("{limits: {memory: «1GB}}", f"limits.memory: '1GB' {UNIT}"),
        "that is a list": (
            "{requests: {cpu: «[1]}}",
            "requests.cpu: is not a quantity; write a number with a unit such as 500m or 128Mi",
        ),
        "that is a truth": (
            "{requests: {cpu: «yes}}",
            "requests.cpu: is not a quantity; write a number with a unit such as 500m or 128Mi",
        ),
        "below zero": (
            "{requests: {cpu: «-1}}",
            "requests.cpu: '-1' is not above zero; write CPUs such as 500m or 2",
        ),
        "in thousandths of bytes": (
            "{requests: {memory: «128m}}",
            "requests.memory: 128m is 0.128 bytes; write 128Mi",
        ),
        "in bytes": (
            "{requests: {memory: «128}}",
            "requests.memory: 128 is 128 bytes; write 128Mi",
        ),
        "beyond counting": (
            "{requests: {memory: «99Ei}}",
            "requests.memory: '99Ei' is too large for Kubernetes; write less than 8Ei",
        ),
        **{
            f"that is {what}": (
                f"{{requests: {{{resource}: «{typed}}}}}",
                f"requests.{resource}: '{typed}' must be a decimal number; write one with a unit "
                "such as 500m or 128Mi",
            )
            for what, resource, typed in (
                ("octal", "cpu", "010"),
                ("hexadecimal", "cpu", "0x10"),
                ("binary", "cpu", "0b11"),
                ("in groups of digits", "cpu", "1_000"),
                ("a fraction in groups of digits", "cpu", "1_0.5"),
                ("in base 60", "cpu", "1:30"),
                ("a fraction in base 60", "cpu", "1:30.5"),
                ("infinite", "cpu", ".inf"),
                ("no number", "cpu", ".nan"),
                ("bytes in groups of digits", "memory", "134_217_728"),
                ("octal bytes", "memory", "01000000000"),
                ("infinite bytes", "memory", "-.Inf"),
            )
        },
        "over its limit": (
            "{requests: {cpu: «2}, limits: {cpu: 1}}",
            "requests.cpu: 2 is over the limit 1; lower it or raise the limit",
        ),
        "over its limit in another unit": (
            "{requests: {memory: «1.5Gi}, limits: {memory: 1024Mi}}",
            "requests.memory: 1.5Gi is over the limit 1024Mi; lower it or raise the limit",
        ),
        "over the default limit": (
            "{requests: {cpu: «600m}}",
            "requests.cpu: 600m is over the default limit 500m; set limits.cpu too",
        ),
        "under the default request": (
            "{limits: {cpu: «50m}}",
            "limits.cpu: 50m is under the default request 100m; set requests.cpu too",
        ),
        "over the LimitRange": (
            "{limits: {cpu: «3}}",
            "limits.cpu: 3 is over limitRange.max.cpu 2; lower it, or raise limitRange.max.cpu",
        ),
    }
)
def test_a_wrong_quantity_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, app(f"resources: {text}"), f"apps[0].app.resources.{said}")


@rows(
    {
        "a request under the default minimum": (
            app("resources: {requests: {memory: «32Mi}}"),
            "apps[0].app.resources.requests.memory: 32Mi is under limitRange.min.memory 64Mi; "
            "raise it, or lower limitRange.min.memory",
        ),
        "a default request under the default minimum": (
            team("limitRange: {defaultRequest: {cpu: «10m}}"),
            "limitRange.defaultRequest.cpu: 10m is under limitRange.min.cpu 50m; raise it, "
            "or lower limitRange.min.cpu",
        ),
        "a request under its least": (
            team("limitRange: {min: {cpu: 50m}}\napps:\n")
            + entry("resources: {requests: {cpu: «10m}}"),
            "apps[0].app.resources.requests.cpu: 10m is under limitRange.min.cpu 50m; "
            "raise it, or lower limitRange.min.cpu",
        ),
        "a default over its most": (
            team("limitRange: {default: {cpu: «3}}"),
            "limitRange.default.cpu: 3 is over limitRange.max.cpu 2; lower it",
        ),
        "a most under the default": (
            team("limitRange: {max: {memory: «256Mi}}"),
            "limitRange.max.memory: 256Mi is under limitRange.default.memory 512Mi; "
            "raise it, or lower limitRange.default.memory",
        ),
        "a most that is empty": (
            team("limitRange: {max: {cpu: «null}}"),
            "limitRange.max.cpu: is empty; give it a value or remove it",
        ),
        "a quota that is no quantity": (
            team("quota: {limits: {memory: «plenty}}"),
            f"quota.limits.memory: 'plenty' {UNIT}",
        ),
    }
)
def test_a_limit_range_that_no_container_fits_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, said)


@pytest.mark.parametrize(
    "keys",
    [
        "quota: {requests: {cpu: «}}",
        "quota:\n  limits:\n    memory:« # to do\n",
        "quota:\n  pods:«\n",
        "quota: {services: «, pods: 20}",
        "quota: {persistentvolumeclaims: !!null «}",
        "limitRange: {min: {cpu: «}}",
        "limitRange: {min: {memory: «, cpu: null}}",
    ],
)
def test_a_limit_is_removed_only_by_an_explicit_null(tmp_path: Path, keys: str) -> None:
    key = re.findall(r"\w+", keys.partition("«")[0].removesuffix(" !!null "))[-1]
    text, _ = place(team(keys))
    (line,) = reported(tmp_path, text)
    assert line.endswith(f"{key}: is empty; write null for no limit, or an amount")
    for null in ("null", "~", "Null"):
        accepted(tmp_path, team(keys.replace("«", f" {null}")))


def test_an_empty_limit_is_reported_at_its_place_beside_other_problems(tmp_path: Path) -> None:
    keys = "quota:\n  pods:\n  services: «many\n  requests:\n    cpu:\nlimitRange: {}\n"
    text, _ = place(team(keys + "apps:\n" + entry("port: 99999")))
    empty = "is empty; write null for no limit, or an amount"
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:3:8: quota.pods: {empty}",
        f"tenants/team-alpha.yaml:4:13: quota.services: {DIGITS} 10",
        f"tenants/team-alpha.yaml:6:9: quota.requests.cpu: {empty}",
        "tenants/team-alpha.yaml:13:13: apps[0].app.port: 99999 is not a port; use 1 to 65535",
    ]


def test_a_quota_without_any_value_is_reported_once_per_key(tmp_path: Path) -> None:
    keys = "requests: {cpu: , memory: }, limits: {cpu: , memory: }, pods: , services: "
    lines = reported(tmp_path, team(f"quota: {{{keys}, persistentvolumeclaims: }}"))
    assert len(lines) == 7
    assert all("is empty; write null" in line for line in lines)


DRAIN = "must keep running, so no node can be drained; keep minAvailable below"
SHARE = "is not a number or a percentage; write one such as 1 or 50%"


@rows(
    {
        "fewest over most": (
            app(beside="autoscaling: {minReplicas: «4, maxReplicas: 3}"),
            "apps[0].autoscaling.minReplicas: 4 is over maxReplicas 3; lower it",
        ),
        "no fewest": (
            app(beside="autoscaling: {minReplicas: «0}"),
            "apps[0].autoscaling.minReplicas: 0 is below 1; write 1 or more",
        ),
        "one pod that must keep running": (
            app(beside="autoscaling: {minReplicas: «1}"),
            "apps[0].autoscaling.minReplicas: 1 pod, and podDisruptionBudget.minAvailable is 1, "
            "so no node can be drained; raise it to 2 or set podDisruptionBudget.enabled to false",
        ),
        "one replica that must keep running": (
            app("replicas: «1", archetype="worker"),
            "apps[0].app.replicas: 1 pod, and podDisruptionBudget.minAvailable is 1, "
            "so no node can be drained; raise it to 2 or set podDisruptionBudget.enabled to false",
        ),
        "as many as there are": (
            app("replicas: 3", "podDisruptionBudget: {minAvailable: «3}", archetype="worker"),
            f"apps[0].podDisruptionBudget.minAvailable: 3 of 3 pods (app.replicas) {DRAIN} "
            "app.replicas",
        ),
        "all of them": (
            app(beside="podDisruptionBudget: {minAvailable: «100%}"),
            "apps[0].podDisruptionBudget.minAvailable: 100% of 2 pods (autoscaling.minReplicas) "
            f"{DRAIN} autoscaling.minReplicas",
        ),
        "a share that rounds up to all": (
            app(beside="podDisruptionBudget: {minAvailable: «51%}"),
            "apps[0].podDisruptionBudget.minAvailable: 51% of 2 pods (autoscaling.minReplicas) "
            f"{DRAIN} autoscaling.minReplicas",
        ),
        "over 100 per cent": (
            app(beside="podDisruptionBudget: {minAvailable: «150%}"),
            f"apps[0].podDisruptionBudget.minAvailable: '150%' {SHARE}",
        ),
        "a quoted number": (
            app(beside='podDisruptionBudget: {minAvailable: «"50"}'),
            f"apps[0].podDisruptionBudget.minAvailable: '50' {SHARE}",
        ),
        "digits that are none": (
            app(beside="podDisruptionBudget: {minAvailable: «²%}"),
            f"apps[0].podDisruptionBudget.minAvailable: '²%' {SHARE}",
        ),
        "fewer than none": (
            app(beside="podDisruptionBudget: {minAvailable: «-1}"),
            "apps[0].podDisruptionBudget.minAvailable: -1 is below 0; "
            "write a number of pods, such as 1",
        ),
        "half a pod": (
            app(beside="podDisruptionBudget: {minAvailable: «1.5}"),
            f"apps[0].podDisruptionBudget.minAvailable: {DIGITS} 1",
        ),
    }
)
def test_impossible_scaling_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


FIELDS = "write minute, hour, day of month, month and day of week"


@rows(
    {
        "no minute": (
            '{cron: «"61 2 * * *"}',
            "cron: minute '61' is not 0-59; write a number in that range, or '*' for any",
        ),
        "six fields": (
            '{cron: «"0 0 2 * * *"}',
            f"cron: '0 0 2 * * *' has 6 fields, but seconds are not supported; {FIELDS}",
        ),
        "a number": ("{cron: «5}", f"cron: '5' has 1 field, not 5; {FIELDS}"),
        "a day that never comes": (
            '{cron: «"0 2 30 2 *"}',
            "cron: day of month '30' does not exist in month '2'; use a day up to 29",
        ),
        "a start of the machine": (
            '{cron: «"@reboot"}',
            "cron: '@reboot' is not a schedule; write five fields, '@every 1h' or one of "
            "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
        ),
        "a time zone in it": (
            '{cron: «"TZ=Europe/Berlin 0 2 * * *"}',
            "cron: the schedule contains a time zone; move it to schedule.timezone",
        ),
        "a time zone misspelt": (
            "{cron: 0 2 * * *, timezone: «Europe/Berln}",
            "timezone: 'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'?",
        ),
        "a policy in small letters": (
            "{cron: 0 2 * * *, concurrencyPolicy: «forbid}",
            "concurrencyPolicy: 'forbid' is not one of Allow, Forbid, Replace; "
            "did you mean Forbid?",
        ),
        "a deadline that is over before it is noticed": (
            "{cron: 0 2 * * *, startingDeadlineSeconds: «9}",
            "startingDeadlineSeconds: 9 is below 10, so runs would be skipped; write 10 or more",
        ),
        "a restart policy that jobs do not have": (
            "{cron: 0 2 * * *, restartPolicy: «Always}",
            "restartPolicy: 'Always' is not one of Never, OnFailure; use Never or OnFailure",
        ),
    }
)
def test_a_schedule_that_never_occurs_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text = app(archetype="cronjob", beside=f"schedule: {text}")
    refused(tmp_path, text, f"apps[0].schedule.{said}")


EVERYTHING = "allows everything; name who (`to`) or which `ports`"


@rows(
    {
        "a word": ("[«allow-all]", "[0]: must be a mapping; write keys below it: to, ports"),
        "not in a list": ("«{to: []}", ": must be a list; begin each entry with '- '"),
        "an empty rule": ("[«{}]", f"[0]: {EVERYTHING}"),
        "a rule of empty lists": ("[«{to: [], ports: []}]", f"[0]: {EVERYTHING}"),
        "every namespace": ("[«{to: [{namespaceSelector: {}}]}]", f"[0]: {EVERYTHING}"),
        "every address": ("[«{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]", f"[0]: {EVERYTHING}"),
        "every IPv6 address": ('[«{to: [{ipBlock: {cidr: "::/0"}}]}]', f"[0]: {EVERYTHING}"),
        "every TCP port": ("[«{ports: [{protocol: TCP}]}]", f"[0]: {EVERYTHING}"),
        "every port in a range": ("[«{ports: [{port: 1, endPort: 65535}]}]", f"[0]: {EVERYTHING}"),
        "every address in two halves": (
            "[«{to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]",
            f"[0]: {EVERYTHING}",
        ),
        "every address but one": (
            "[«{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.1/32]}}]}]",
            f"[0]: {EVERYTHING}",
        ),
        "every namespace that has a name": (
            "[«{to: [{namespaceSelector: {matchExpressions: "
            "[{key: kubernetes.io/metadata.name, operator: Exists}]}}]}]",
            f"[0]: {EVERYTHING}",
        ),
        "every namespace without a label": (
            "[«{to: [{namespaceSelector: {matchExpressions: "
            "[{key: secluded, operator: DoesNotExist}]}}]}]",
            f"[0]: {EVERYTHING}",
        ),
        "every port in two ranges": (
            "[«{ports: [{port: 2, endPort: 65535}, {port: 1, endPort: 9}]}]",
            f"[0]: {EVERYTHING}",
        ),
        "a peer that is nobody": (
            "[{to: [«{}]}]",
            "[0].to[0]: selects nothing; add namespaceSelector, podSelector or ipBlock",
        ),
        "labels without matchLabels": (
            "[{to: [{podSelector: {«app: x}}]}]",
            "[0].to[0].podSelector.app: is an unknown key; "
            "use one of: matchLabels, matchExpressions",
        ),
        "addresses beside pods": (
            "[{to: [{ipBlock: «{cidr: 10.0.0.0/8}, podSelector: {}}]}]",
            "[0].to[0].ipBlock: cannot be combined with podSelector; split it into two entries",
        ),
        "no CIDR": (
            "[{to: [{ipBlock: {cidr: «10.0.0.0/33}}]}]",
            "[0].to[0].ipBlock.cidr: '10.0.0.0/33' is not a CIDR; write one such as 10.200.0.0/16",
        ),
        "a CIDR with a netmask": (
            "[{to: [{ipBlock: {cidr: «10.0.0.0/255.0.0.0}}]}]",
            "[0].to[0].ipBlock.cidr: '10.0.0.0/255.0.0.0' is not a CIDR; "
            "write one such as 10.200.0.0/16",
        ),
        "a CIDR with host bits": (
            "[{to: [{ipBlock: {cidr: «10.0.0.1/8}}]}]",
            "[0].to[0].ipBlock.cidr: '10.0.0.1/8' has host bits set; write 10.0.0.0/8",
        ),
        "an address alone": (
            "[{to: [{ipBlock: {cidr: «10.0.0.1}}]}]",
            "[0].to[0].ipBlock.cidr: '10.0.0.1' has no prefix length; "
            "write 10.0.0.1/32 for one address",
        ),
        "a range of IPv4 as one of IPv6": (
            "[{to: [{ipBlock: {cidr: «'::ffff:10.0.0.0/104'}}]}]",
            "[0].to[0].ipBlock.cidr: '::ffff:10.0.0.0/104' is a range of IPv4 written as one of "
            "IPv6; write 10.0.0.0/8",
        ),
        "an exception outside": (
            "[{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [«11.0.0.0/16]}}]}]",
            "[0].to[0].ipBlock.except[0]: 11.0.0.0/16 is not within 10.0.0.0/8; "
            "remove it or widen `cidr`",
        ),
        "a label that is a number": (
            "[{to: [{podSelector: {matchLabels: {tier: «1}}}]}]",
            "[0].to[0].podSelector.matchLabels.tier: YAML reads this as a number; "
            'put it in quotes: "1"',
        ),
        "an operator in small letters": (
            "[{to: [{podSelector: {matchExpressions: [{key: a, operator: «exists}]}}]}]",
            "[0].to[0].podSelector.matchExpressions[0].operator: 'exists' is not one of "
            "In, NotIn, Exists, DoesNotExist; did you mean Exists?",
        ),
        "an operator without values": (
            "[{to: [{podSelector: {matchExpressions: [«{key: a, operator: In}]}}]}]",
            "[0].to[0].podSelector.matchExpressions[0].values: must not be "
            "empty for In; add a value",
        ),
        "a port out of range": (
            "[{ports: [{port: «65536}]}]",
            "[0].ports[0].port: 65536 is not a port; use 1 to 65535",
        ),
        "a quoted port": (
            '[{ports: [{port: «"80"}]}]',
            "[0].ports[0].port: '80' is not a port's name; write a number, or a name such as http",
        ),
        "a range backwards": (
            "[{ports: [{port: 80, endPort: «79}]}]",
            "[0].ports[0].endPort: 79 is below `port` 80; swap them",
        ),
        "a protocol in small letters": (
            "[{ports: [{port: 80, protocol: «tcp}]}]",
            "[0].ports[0].protocol: 'tcp' is not one of TCP, UDP, SCTP; did you mean TCP?",
        ),
    }
)
def test_a_wrong_network_rule_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text = app(beside=f"networkPolicy: {{additionalEgress: {text}}}")
    refused(tmp_path, text, f"apps[0].networkPolicy.additionalEgress{said}")


def test_a_rule_that_lets_everyone_in_is_refused(tmp_path: Path) -> None:
    refused(
        tmp_path,
        app(beside="networkPolicy: {additionalIngress: [«{from: [{namespaceSelector: {}}]}]}"),
        "apps[0].networkPolicy.additionalIngress[0]: allows everything; "
        "name who (`from`) or which `ports`",
    )


ISTIO = "is used by Istio's sidecar in every pod; use another port such as 8080"


@rows(
    {
        "no port": (app("port: «0"), "apps[0].app.port: 0 is not a port; use 1 to 65535"),
        "a port below zero": (
            app("port: «-1"),
            "apps[0].app.port: -1 is not a port; use 1 to 65535",
        ),
        "a port out of range": (
            app("port: «65536"),
            "apps[0].app.port: 65536 is not a port; use 1 to 65535",
        ),
        "a port of the sidecar": (app("port: «15021"), f"apps[0].app.port: 15021 {ISTIO}"),
        "a metrics port of the sidecar": (
            app(beside="serviceMonitor: {port: «15090}", archetype="worker"),
            f"apps[0].serviceMonitor.port: 15090 {ISTIO}",
        ),
        "a writable path twice": (
            app("writablePaths: [{path: /tmp}, {path: «/tmp}]"),
            "apps[0].app.writablePaths[1].path: '/tmp' is listed twice; remove one",
        ),
        "the root as a writable path": (
            app("writablePaths: [{path: «/}]"),
            "apps[0].app.writablePaths[0].path: '/' stays read-only; "
            "write a path below it such as /tmp",
        ),
        "a relative writable path": (
            app("writablePaths: [{path: «tmp}]"),
            "apps[0].app.writablePaths[0].path: 'tmp' is not a plain absolute path; "
            "write one such as /tmp",
        ),
        "a name longer than Linux takes": (
            app(f"writablePaths: [{{path: «/{'x' * 256}}}]"),
            f"apps[0].app.writablePaths[0].path: '/{'x' * 39}...' is too long for Linux; use at "
            "most 255 bytes between slashes, and 4095 in all",
        ),
        "the kernel's path": (
            app("writablePaths: [{path: «/proc/x}]"),
            "apps[0].app.writablePaths[0].path: '/proc/x' belongs to the kernel; "
            "mount another path such as /tmp",
        ),
        "an alert twice": (
            app(beside="alerts: [{name: A, expr: up}, {name: «A, expr: down}]"),
            "apps[0].alerts[1].name: 'A' is listed twice; rename one",
        ),
        "an alert without expression": (
            app(beside='alerts: [{name: A, expr: «""}]'),
            "apps[0].alerts[0].expr: is empty; write some text",
        ),
    }
)
def test_invalid_or_colliding_ports_paths_and_alerts_are_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    refused(tmp_path, text, said)


NO_HOST = "is required when ingress is enabled; add it, such as `host: my-api.apps.example.com`"
EXAMPLE = "my-api.apps.sre.example.com"


@rows(
    {
        "no host": ("«{enabled: true}", f"host: {NO_HOST}"),
        "an empty host": ('{enabled: true, host: «""}', f"host: {NO_HOST}"),
        "a host of nothing": ("{enabled: true, host: «~}", f"host: {NO_HOST}"),
        "a host in capitals": (
            "{enabled: true, host: «A.example.com}",
            f"host: 'A' contains 'A'; {LABEL}",
        ),
        "a host with a port": (
            '{enabled: true, host: «"a.example.com:443"}',
            f"host: 'a.example.com:443' contains a port; write only the host name, such as "
            f"{EXAMPLE}",
        ),
        "a wildcard": (
            '{enabled: true, host: «"*.example.com"}',
            f"host: '*.example.com' contains a wildcard; write one full host name, such as "
            f"{EXAMPLE}",
        ),
        "a URL": (
            '{enabled: true, host: «"https://a.example.com"}',
            "host: 'https://a.example.com' contains a scheme; write only the host name, "
            f"such as {EXAMPLE}",
        ),
        "a gateway misspelt": (
            "{enabled: true, host: a.example.com, gateway: «istio-system/sre-gatway}",
            "gateway: 'istio-system/sre-gatway' is not a gateway of this stack; "
            "did you mean istio-system/sre-gateway?",
        ),
        "another gateway": (
            "{enabled: true, host: a.example.com, gateway: «mine/own}",
            "gateway: 'mine/own' is not a gateway of this stack; "
            "use one of: istio-system/sre-gateway",
        ),
    }
)
def test_a_wrong_ingress_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, app(beside=f"ingress: {text}"), f"apps[0].ingress.{said}")


ZERO = "contains a zero character, which ends text for programs; remove it"
QUOTE = "put the value in quotes"
CHAIN = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))


@rows(
    {
        "a key twice": (
            team("quota: {}\n«quota: {}\n"),
            "quota: this key is already set on line 2; remove one",
        ),
        "a key twice deep inside": (
            app("port: 8080\n«port: 8081\n"),
            "apps[0].app.port: this key is already set on line 7; remove one",
        ),
        "anchors that explode": (
            team(f"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{CHAIN}").replace("&a4", "«&a4"),
            "(file): its anchors expand to over 20000 values; write the values out",
        ),
        "an anchor that holds itself": (
            team("quota: «&a {requests: *a}"),
            "(file): an anchor contains itself; write the value out",
        ),
        "an anchor that merges itself": (
            team("quota: «&a {<<: *a}"),
            "(file): an anchor contains itself; write the value out",
        ),
        "an anchor that is nowhere": (
            team("quota: «*nowhere"),
            f"(file): no anchor above has this name; name one, or {QUOTE}",
        ),
        "a merge of no mapping": (
            team("«<<: 5"),
            "(file): `<<` merges mappings only; name an anchor of a mapping",
        ),
        "brackets without end": (
            team("apps: " + "[" * 99 + "«["),
            "(file): is nested too deep; keep to the levels of the documented keys",
        ),
        "several documents": (
            team("«---\nteam: team-beta\n"),
            "(file): contains several documents; keep one, and move the others to separate files",
        ),
        "a tab for indentation": (
            team("apps:\n«\t- archetype: web-app\n"),
            "(file): YAML does not allow tabs for indentation; use spaces",
        ),
        "a tab behind spaces": (
            team("quota:\n  pods: 5\n «\tservices: 5\n"),
            "(file): YAML does not allow tabs for indentation; use spaces",
        ),
        "an empty file": ("«", "(file): is empty; write at least the key `team`"),
        "only a comment": ("«# to do\n", "(file): is empty; write at least the key `team`"),
        "a list": (
            "«- team\n",
            "(file): must be a mapping; write `key: value` lines, such as `team: ...`",
        ),
        "a word": (
            "«team\n",
            "(file): must be a mapping; write `key: value` lines, such as `team: ...`",
        ),
        "a list for a key": (
            team("? «[a]\n: b\n"),
            "(file): a key must be text; quote it or fix the braces",
        ),
        "a control character": (
            team('quota: "«\a"\n'),
            "(file): contains a control character; remove it",
        ),
        "a zero in a command": (
            app('command: [«"/bin/x\\0"]'),
            f"apps[0].app.command[0]: {ZERO}",
        ),
        "a zero in a variable": (
            app('env: [{name: A, value: «"a\\x00b"}]'),
            f"apps[0].app.env[0].value: {ZERO}",
        ),
        "a zero in a path": (
            app('writablePaths: [{path: «"/tmp\\u0000"}]'),
            f"apps[0].app.writablePaths[0].path: {ZERO}",
        ),
        "a zero in a file": (
            app('files: [{path: /a, content: «"a\\0"}]'),
            f"apps[0].app.files[0].content: {ZERO}",
        ),
        "a schedule without quotes": (
            app(archetype="cronjob", beside="schedule:\n  cron: *«/5 * * * *\n"),
            f"(file): a '*' begins an alias in YAML; {QUOTE}",
        ),
        "a value that begins with '@'": (
            team("access: {developers: [«@all]}"),
            f"(file): no value begins with this character in YAML; {QUOTE}",
        ),
        "a colon inside a value": (
            team("quota: pods«: 5"),
            f"(file): a ':' is not allowed here; fix the indentation or {QUOTE}",
        ),
        "a line without colon": (
            team("«quota\n"),
            "(file): this line is not `key: value`; add the ':', or remove it",
        ),
        "a quote never closed": (
            "team: «'team-alpha\n",
            "(file): a quote is never closed; close it",
        ),
        "a line out of line": (
            team("apps:\n  - archetype: web-app\n   «app: {}\n"),
            "(file): this does not line up with the lines above; fix the indentation",
        ),
        "a bracket never closed": (
            team("apps: [\n").replace("apps", "«apps"),
            "(file): a bracket or brace is not closed, or a ',' is missing; fix it",
        ),
    }
)
def test_invalid_yaml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    refused(tmp_path, text, said)


def problems_of(file: Path) -> list[str]:
    return [str(each) for each in load_team(file, "tenants/x.yaml", settings()).problems]


@pytest.mark.parametrize(
    ("content", "where", "byte"),
    [
        (b"team: x\nquota: caf\xe9\n", "2:11", "0xe9"),
        (b"\xff\xfet\0e\0a\0m\0", "1:1", "0xff"),
    ],
    ids=["latin-1", "utf-16"],
)
def test_a_file_that_is_not_utf8_is_refused(
    tmp_path: Path, content: bytes, where: str, byte: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    assert problems_of(file) == [
        f"tenants/x.yaml:{where}: (file): byte {byte} is not UTF-8; save the file as UTF-8"
    ]


@pytest.mark.parametrize(
    ("before", "where"),
    [
        ("team: x\napps:\n", "3:199"),
        ("team: x\rapps:\r", "3:199"),
        ("team: x\x85apps:\x85", "3:199"),
        ("team: x\u2028apps:\u2028", "3:199"),
        ("\ufeff\ufeff", "1:201"),
    ],
    ids=["line feed", "carriage return", "next line", "line separator", "two byte order marks"],
)
def test_endless_lists_are_refused_whatever_precedes_them(
    tmp_path: Path, before: str, where: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes((before + "- " * 101).encode())
    assert problems_of(file) == [
        f"tenants/x.yaml:{where}: (file): is nested too deep; keep to the levels of the documented "
        "keys"
    ]


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("#" * 2_000_000)
    assert problems_of(file) == [
        "tenants/x.yaml:1:1: (file): has 2000000 bytes, but at most 1048576 are allowed; split it"
    ]


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    assert problems_of(tmp_path / "x.yaml") == [
        "tenants/x.yaml:1:1: (file): is a directory; use a YAML file"
    ]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "x.yaml") == [
        "tenants/x.yaml:1:1: (file): no such file; check the path"
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied"), "no permission; make it readable (chmod +r)"),
        (OSError(5, "Input/output error"), "Input/output error; check the file"),
    ],
    ids=["without permission", "on a broken disk"],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    # Tests may run as root, whom no file mode stops: the refusal comes from the read itself.
    def refuse(_: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert problems_of(tmp_path / "x.yaml") == [
        f"tenants/x.yaml:1:1: (file): cannot be read: {said}"
    ]


def test_all_problems_of_a_file_are_reported_at_once_in_its_order(tmp_path: Path) -> None:
    text = team("quota: {pods: many}\napps:\n") + (
        entry(
            "port: eighty\nprot: 80\nenv: [{name: A, value: x, secretRef: y}]",
            "ingress: {enabled: true}\nalerts: [5, {name: A, expr: up}, {name: A, expr: up}]",
            image="{repository: docker.io/nginx, tag: latest}",
        )
        + entry(archetype="workr", beside="ingress: {}\npodDisruptionBudget: {minAvailable: 2}")
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{line}"
        for line in (
            f"2:15: quota.pods: {DIGITS} 20",
            "7:27: apps[0].app.image.repository: 'docker.io/nginx' is not in harbor.sre.internal; "
            f"push it there and {HERE}/my-api",
            f"7:49: apps[0].app.image.tag: 'latest' is not a version; {PIN}",
            f"8:13: apps[0].app.port: {DIGITS} 8080",
            "9:7: apps[0].app.prot: is an unknown key; did you mean 'port'?",
            "10:13: apps[0].app.env[0]: has both value and secretRef; keep one of the two",
            f"11:14: apps[0].ingress.host: {NO_HOST}",
            "12:14: apps[0].alerts[0]: must be a mapping; write keys below it: "
            "name, expr, for, severity, summary",
            "12:45: apps[0].alerts[2].name: 'A' is listed twice; rename one",
            f"13:16: apps[1].archetype: 'workr' {ARCHETYPES}; did you mean worker?",
            "15:13: apps[1].app.name: 'my-api' is also the name of another app of this "
            "team; rename one",
            "17:5: apps[1].ingress: does not fit a worker, only a web-app; "
            "remove it or change `archetype`",
            "18:41: apps[1].podDisruptionBudget.minAvailable: 2 of 2 pods (app.replicas) "
            f"{DRAIN} app.replicas",
        )
    ]


def test_what_is_missing_hides_nothing_else(tmp_path: Path) -> None:
    text = team("apps:\n  - archetype: web-app\n    ingress: {enabled: true}\n")
    assert reported(tmp_path, text) == [
        "tenants/team-alpha.yaml:3:5: apps[0].app: is missing; "
        "add it, with name and image below it",
        f"tenants/team-alpha.yaml:4:14: apps[0].ingress.host: {NO_HOST}",
    ]


def test_a_problem_is_one_line_whatever_the_file_holds(tmp_path: Path) -> None:
    text = team('"a\\nb": 1\n') + '"\\e[31m": 1\n' + f"{'k' * 500}: 1\n"
    lines = reported(tmp_path, text)
    assert [line.split(": ")[1] for line in lines] == [r"a\nb", r"\x1b[31m", f"{'k' * 200}..."]


SHIPPED = sorted((ROOT / "tenants").glob("*.yaml"))
LINE = re.compile(r"f\.yaml:([0-9]+):([0-9]+): [^:\s][^\n]*?: [^\n]+; [^\n]+")
VALUES = (
    *("null", "-1", "99999999999", '""', "2024-13-45", "x" * 5000),
    *("[x]", "{x: y}", "[]", "{}", "*x", "&x", "'"),
)


def mutated(text: str, chance: random.Random) -> str:
    """`text` with one or two of its lines damaged."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(lines))
        line = lines[at]
        match chance.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, line)
            case 2:
                lines[at] = f" {line}" if chance.random() < 0.5 else line[1:]
            case _:
                lines[at] = f"{line.partition(':')[0]}: {chance.choice(VALUES)}"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("file", SHIPPED, ids=[file.stem for file in SHIPPED])
def test_a_damaged_file_is_accepted_or_reported_and_never_an_exception(
    tmp_path: Path, file: Path
) -> None:
    chance, text, stack = random.Random(7), file.read_text(), dev_settings()
    damaged = tmp_path / file.name
    refusals = 0
    for _ in range(200):
        mutant = mutated(text, chance)
        damaged.write_text(mutant)
        problems: tuple[Problem, ...] = load_team(damaged, "f.yaml", stack).problems
        for problem in problems:
            match = LINE.fullmatch(str(problem))
            assert match, f"{problem}\n{mutant}"
            assert 1 <= int(match[1]) <= len(mutant.splitlines()), f"{problem}\n{mutant}"
        refusals += bool(problems)
    assert refusals > 60
