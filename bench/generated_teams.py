"""Writes fleets of any size for measurements and tests: the same seed gives the same files.

A team's file depends only on the seed and the team's number, not on how many teams there are. Teams
call each other in pairs, 0 and 1, 2 and 3, and so on, but for the last of an odd number, and for
pairs with a suspended team. Every third team has a given optional block, so a few teams contain
every key that many apps need, and none of those in `tests/keys/`. Quotas are twice the apps' use at
full scale, in a rollout, with a sidecar in each pod.
"""

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import yaml

from specs.readers import Dumper

Block = dict[str, Any]

_SCHEMA = "# yaml-language-server: $schema=../schemas/team.schema.json\n"
_NOUNS = ("billing", "catalog", "invoice", "ledger", "media", "order", "search", "user")
_SIDECAR = {"cpu": 200, "memory": 256}  # millicores and MiB of a pod's proxy, at most
_SUSPENDED_EVERY = 50  # teams


def write_teams(folder: Path, teams: int, apps: int = 3, seed: int = 0) -> list[Path]:
    """Write `folder/team-NNNN.yaml` for each team, with this many apps, archetypes in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_team(folder, generate(number, apps, seed, paired=_partner(number) < teams))
        for number in range(teams)
    ]


def write_team(folder: Path, team: Block) -> Path:
    """Write one team's file; return its path."""
    file = folder / f"{team['team']}.yaml"
    text = yaml.dump(team, Dumper=Dumper, sort_keys=False, width=100)
    file.write_text(_SCHEMA + text, encoding="utf-8")
    return file


def generate(number: int, apps: int = 3, seed: int = 0, *, paired: bool = True) -> Block:
    """One team, as in its file; `paired` says whether its partner has one too."""
    choose = random.Random(f"{seed}/{number}")
    name, names = _team_name(number), _app_names(number, apps, seed)
    made = [
        make(choose, name, app, seed + number)
        for app, make in zip(names, cycle((_web_app, _worker, _cronjob)), strict=False)
    ]
    partner = _partner(number)
    calling = paired and not _is_suspended(number) and not _is_suspended(partner)
    theirs = _app_names(partner, apps, seed) if calling else []
    for index, app in enumerate(made):
        app |= _connections(choose, app["archetype"], index, names, _team_name(partner), theirs)
    optional = {
        "access": {
            "developers": [f"{name}-developers", f"{name}-leads"],
            "viewers": [f"{name}-viewers", choose.choice(("auditors", "support"))],
            "roles": {"incident-response": "view"},
        },
        "limitRange": {
            "default": {"cpu": "600m", "memory": "640Mi"},
            "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
            "max": {"cpu": str(choose.randint(2, 4)), "memory": f"{choose.randint(4, 8)}Gi"},
            "min": {"cpu": "10m", "memory": "16Mi"},
        },
        "registry": {
            "storageQuota": choose.randint(20, 200),
            "retention": {
                "schedule": choose.choice(("Hourly", "Daily", "Weekly")),
                "mostRecentlyPushed": choose.randint(5, 50),
            },
            "signatures": {"enforce": False, "reason": f"ticket SEC-{choose.randint(1, 999)}"},
            "robots": {"duration": choose.choice((-1, 90, 365))},
        },
        "namespace": {
            "labels": {"sre.io/security-categorization": "low"},
            "annotations": {"example.com/on-call": f"{name}@example.com"},
        },
    }
    return {
        "team": name,
        "lifecycle": "suspended" if _is_suspended(number) else "active",
        "quota": _quota(made),
        **_some(optional, seed + number),
        "apps": made,
    }


def _team_name(number: int) -> str:
    return f"team-{number:04}"


def _is_suspended(number: int) -> bool:
    return number % _SUSPENDED_EVERY == _SUSPENDED_EVERY - 1


def _partner(number: int) -> int:
    """The other team of a pair."""
    return number ^ 1


def _app_names(number: int, apps: int, seed: int) -> list[str]:
    """Those of a team's apps, which its partner needs too."""
    choose = random.Random(f"{seed}/{number}/names")
    kinds = ("api", "worker", "report")
    return [f"{choose.choice(_NOUNS)}-{kinds[index % 3]}-{index}" for index in range(apps)]


def _connections(
    choose: random.Random,
    archetype: str,
    index: int,
    own: Sequence[str],
    partner: str,
    theirs: Sequence[str],
) -> Block:
    """What an app calls, and who may call it; `own` and `theirs` are names of apps.

    A worker calls the web-app before it, and the same of the partner; a cronjob calls that of its
    team, and a range of addresses; a web-app calls a host.
    """
    if archetype == "web-app":
        callers = [{"team": partner, "app": app} for app in theirs[index + 1 : index + 2]]
        return {
            "calls": [{"host": f"{choose.choice(_NOUNS)}.example.com"}],
            **({"callers": callers} if callers else {}),
        }
    if archetype == "worker":
        beyond = [{"team": partner, "app": app} for app in theirs[index - 1 : index]]
        return {"calls": [{"app": own[index - 1]}, *beyond]}
    addresses = {"cidr": f"10.{choose.randint(0, 255)}.0.0/16", "port": choose.choice((5432, 9092))}
    return {"calls": [{"app": own[index - 2]}, addresses]}


def _some(blocks: Mapping[str, Any], turn: int) -> Block:
    """A third of the blocks, a different third each turn."""
    return {key: block for i, (key, block) in enumerate(blocks.items()) if (i + turn) % 3 == 0}


def _web_app(choose: random.Random, team: str, name: str, turn: int) -> Block:
    port = choose.choice((3000, 8000, 8080))
    container = {
        "port": port,
        "replicas": choose.randint(2, 4),
        "probes": {
            "liveness": {"path": "/livez", **_timing(choose)},
            "readiness": {"path": "/ready", **_timing(choose)},
        },
        "writablePaths": _writable_paths(choose),
    }
    optional = {
        "autoscaling": _autoscaling(choose, enabled=True),
        "serviceMonitor": {"enabled": True, "interval": "15s", "path": f"/metrics/{name}"},
        "networkPolicy": _gateway_rule(choose, port),
        **_common(choose, name),
        "podDisruptionBudget": {"enabled": True, "minAvailable": choose.choice((1, "50%"))},
    }
    return {
        "archetype": "web-app",
        "app": {**_container(choose, team, name, turn), **_some(container, turn)},
        "ingress": {
            "enabled": True,
            "host": f"{name}.{team}.apps.sre.example.com",
            **_some({"gateway": "istio-system/sre-gateway"}, turn),
        },
        **_some(optional, turn),
    }


def _worker(choose: random.Random, team: str, name: str, turn: int) -> Block:
    port = choose.choice((9090, 9100))
    alive = {"exec": {"command": ["/bin/sh", "-c", f"pgrep -f '[{name[0]}]{name[1:]}' || exit 1"]}}
    container = {
        "replicas": choose.randint(2, 4),
        **_command(choose, name),
        "probes": {
            "liveness": {**alive, **_timing(choose)},
            "readiness": {"exec": {"command": ["/bin/ready"]}, **_timing(choose)},
        },
        "writablePaths": _writable_paths(choose),
    }
    optional = {
        "serviceMonitor": {"enabled": True, "interval": "1m", "path": "/stats", "port": port},
        "autoscaling": _autoscaling(choose, enabled=turn % 2 == 0),
        "networkPolicy": _addresses_rule(choose),
        "podDisruptionBudget": {"enabled": choose.random() < 0.8, "minAvailable": 1},
        **_common(choose, name),
    }
    return {
        "archetype": "worker",
        "app": {**_container(choose, team, name, turn), **_some(container, turn)},
        **_some(optional, turn),
    }


def _cronjob(choose: random.Random, team: str, name: str, turn: int) -> Block:
    container = {**_command(choose, name), "writablePaths": _writable_paths(choose)}
    schedule = {
        "timezone": choose.choice(("Etc/UTC", "America/New_York", "Europe/Berlin")),
        "concurrencyPolicy": choose.choice(("Forbid", "Replace")),
        "startingDeadlineSeconds": choose.randint(60, 900),
        "activeDeadlineSeconds": choose.randint(600, 7200),
        "backoffLimit": choose.randint(0, 6),
        "restartPolicy": choose.choice(("Never", "OnFailure")),
        "successfulJobsHistoryLimit": choose.randint(1, 5),
        "failedJobsHistoryLimit": choose.randint(1, 5),
    }
    optional = {
        "networkPolicy": _addresses_rule(choose),
        **_common(choose, name),
        "serviceMonitor": {"enabled": True, "interval": "30s", "path": "/metrics", "port": 9090},
    }
    return {
        "archetype": "cronjob",
        "app": {**_container(choose, team, name, turn), **_some(container, turn)},
        "schedule": {
            "cron": f"{choose.randint(0, 59)} {choose.randint(0, 23)} * * *",
            **_some(schedule, turn),
        },
        **_some(optional, turn),
    }


def _container(choose: random.Random, team: str, name: str, turn: int) -> Block:
    """The keys of `app` that all archetypes have."""
    cpu, memory = 50 * choose.randint(1, 10), 64 * choose.randint(1, 16)  # millicores, MiB
    env = [
        {"name": "LOG_LEVEL", "value": choose.choice(("debug", "info", "warning"))},
        {"name": "TOKEN_HEADER", "value": "X-Token", "plain": True},
        {"name": "DATABASE_URL", "secretRef": f"{name}-database"},
    ]
    image = {
        "repository": f"harbor.sre.internal/{team}/{name}",
        "tag": f"v{choose.randint(0, 9)}.{choose.randint(0, 99)}.{choose.randint(0, 99)}",
    }
    return {
        "name": name,
        **_some({"team": team}, turn),
        "image": image | _some({"pullPolicy": choose.choice(("Always", "IfNotPresent"))}, turn),
        "resources": {
            "requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"},
            "limits": {"cpu": f"{2 * cpu}m", "memory": f"{2 * memory}Mi"},
        },
        "env": choose.sample(env, choose.randint(1, 2)) if turn % 3 else env,
    }


def _common(choose: random.Random, name: str) -> Block:
    """Optional blocks that all archetypes have."""
    limit = choose.randint(1, 50)
    return {
        "serviceAccount": {"create": choose.random() < 0.5},
        "alerts": [
            {
                "name": "ManyErrors",
                "expr": f'sum(rate(errors_total{{job="{name}"}}[5m])) > {limit}',
                "for": f"{choose.randint(1, 30)}m",
                "severity": choose.choice(("info", "warning", "critical")),
                "summary": f"{name} counts more than {limit} errors a second",
            }
        ],
    }


def _timing(choose: random.Random) -> Block:
    return {
        "initialDelaySeconds": choose.randint(0, 15),
        "periodSeconds": choose.randint(10, 60),
    }


def _writable_paths(choose: random.Random) -> list[Block]:
    return [{"path": "/tmp", "sizeLimit": f"{choose.choice((32, 64, 128))}Mi"}]


def _command(choose: random.Random, name: str) -> Block:
    return {"command": [f"/bin/{name}"], "args": [f"--concurrency={choose.randint(1, 32)}"]}


def _autoscaling(choose: random.Random, enabled: bool) -> Block:
    least = choose.randint(2, 4)
    return {
        "enabled": enabled,
        "minReplicas": least,
        "maxReplicas": least + choose.randint(0, 8),
        "targetCPUUtilization": choose.randint(50, 90),
    }


def _gateway_rule(choose: random.Random, port: int) -> Block:
    """A rule for another gateway than that of `ingress`."""
    namespace = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-system"]}
    caller = {"istio": choose.choice(("eastwestgateway", "internalgateway"))}
    return {
        "enabled": True,
        "additionalIngress": [
            {
                "from": [
                    {
                        "namespaceSelector": {"matchExpressions": [namespace]},
                        "podSelector": {"matchLabels": caller},
                    }
                ],
                "ports": [{"port": port, "protocol": "TCP"}],
            }
        ],
    }


def _addresses_rule(choose: random.Random) -> Block:
    """A rule for servers outside the cluster."""
    network = choose.randint(0, 255)
    block = {"cidr": f"10.{network}.0.0/16", "except": [f"10.{network}.99.0/24"]}
    port = choose.randint(1024, 30000)
    return {
        "additionalEgress": [
            {"to": [{"ipBlock": block}], "ports": [{"port": port, "endPort": port + 10}]}
        ]
    }


def _quota(apps: list[Block]) -> Block:
    """Twice the apps' use if all of them are at full scale and in a rollout."""
    pods = [_most_pods(app) for app in apps]

    def total(kind: str, resource: str, number: Callable[[str], int]) -> int:
        return 2 * sum(
            count * (number(app["app"]["resources"][kind][resource]) + _SIDECAR[resource])
            for count, app in zip(pods, apps, strict=True)
        )

    def both(kind: str) -> Block:
        millicores = total(kind, "cpu", lambda text: int(text.removesuffix("m")))
        mebibytes = total(kind, "memory", lambda text: int(text.removesuffix("Mi")))
        return {"cpu": str(millicores // 1000 + 1), "memory": f"{mebibytes // 1024 + 1}Gi"}

    return {
        "requests": both("requests"),
        "limits": both("limits"),
        "pods": 2 * sum(pods) + 1,
        "services": 2 * len(apps) + 1,
        "persistentvolumeclaims": 5,
    }


def _most_pods(app: Block) -> int:
    """Pods of an app at full scale, plus the quarter that a rollout adds."""
    if app["archetype"] == "cronjob":
        return 2
    scaling = app.get("autoscaling", {})
    if scaling.get("enabled", app["archetype"] == "web-app"):
        most = scaling.get("maxReplicas", 10)
    else:
        most = app["app"].get("replicas", 2)
    return int(most + -(-most // 4))


def main() -> int:
    """`python -m bench.generated_teams DIR`: writes a fleet."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.generated_teams", description=main.__doc__
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--teams", metavar="N", type=int, default=10, help="default: 10")
    parser.add_argument("--apps", metavar="M", type=int, default=3, help="a team; default: 3")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="default: 0")
    asked = parser.parse_args()
    write_teams(asked.folder, asked.teams, asked.apps, asked.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
