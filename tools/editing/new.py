"""A new team's file, its stack's file, and a new entry for an app in a team's file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from specs.fleet import SUFFIX, TeamsFolder
from specs.names import check_dns_label, check_team_name
from specs.problem import WHOLE_FILE, Loc, Problem, ProblemsError
from specs.settings import PREFIX, Settings
from specs.source import Source, frozen
from specs.stack_file import CLUSTER, TEAMS, read_stack
from specs.stack_teams import stacks_of
from specs.team import Quota
from tools.editing.apps import with_entry
from tools.editing.scalar import written
from tools.editing.team_file import (
    open_team,
    problems,
    refuse,
    save,
)

FIRST_TAG = "v0.1.0"

_TEAM = """\
# yaml-language-server: $schema={schema}
# Every key: docs/reference.md. Omitted keys have their default.
team: {name}

# Keycloak groups: who may change the team's objects, and who may view them.
access:
  developers: [{team}-developers]
  viewers: [{team}-viewers]

# Limits for all apps together; these are the defaults.
quota:
  requests: {{cpu: "{quota.requests.cpu}", memory: {quota.requests.memory}}}
  limits: {{cpu: "{quota.limits.cpu}", memory: {quota.limits.memory}}}

# ./sre new app {team} NAME --archetype web-app
apps: []
"""

_APP = """\
archetype: {archetype}
app:
  name: {name}
  image:
    repository: {repository}
    tag: "{tag}" # a release writes it: ./sre set-image
"""

_CALLS = """\
# calls: [{app: APP}, {team: TEAM, app: APP}, {host: HOST}] # what it connects to
"""

# The rest of an entry, by archetype.
_REST = {
    "web-app": f"""\
  port: 8080 # answers /healthz and /readyz too; see `probes` if not
# ingress: {{enabled: true, host: HOST}} # access from outside the cluster
{_CALLS}\
# callers: [{{team: TEAM, app: APP}}] # apps of other teams that may call it
""",
    "worker": f"""\
  # command: [/bin/worker] # if it differs from the image's own
  replicas: 2
{_CALLS}""",
    "cronjob": f"""\
  # command: [/bin/job] # if it differs from the image's own
schedule:
  cron: "0 2 * * *" # minute, hour, day of month, month, day of week
  timezone: Etc/UTC
{_CALLS}""",
}

ARCHETYPES = tuple(_REST)


_STACK = f"""\
# The production form: one stack per team. Deploy the platform's stack first.
config:
  {CLUSTER}: {{cluster}}
  {TEAMS}: [{{team}}]
"""

_EXISTS = "already exists; choose another name, or edit it"


def new_team(folder: TeamsFolder, settings: Settings, team: str, schema: str) -> Source:
    """The file of a new team, to be written. Raises ProblemsError.

    `schema` is the JSON Schema as seen from the folder.
    """
    if not folder.path.is_dir():
        refuse(folder.problems())
    file = folder.path / f"{team}{SUFFIX}"
    _check_name(team, f"{folder.shown}/{team}{SUFFIX}")
    refuse(
        Problem(folder.shown_as(other), 1, 1, WHOLE_FILE, _EXISTS)
        for other in folder.in_the_way(team)
    )
    text = _TEAM.format(schema=schema, name=written(team), team=team, quota=Quota())
    source = Source(file, folder.shown_as(file), text=text)
    refuse(problems(source, folder, settings))
    return source


def new_stack(root: Path, team: str, cluster: str) -> tuple[Source, Settings]:
    """The file of a new team's own stack, to be written, and its settings without the team.

    Raises ProblemsError.
    """
    shown = f"Pulumi.{team}.yaml"
    _check_name(team, shown)
    if (root / shown).is_symlink() or (root / shown).exists():
        raise ProblemsError(Problem(shown, 1, 1, WHOLE_FILE, _EXISTS))
    # As the engine would give it: the stack has no file yet.
    settings, found = read_stack(root, team, {CLUSTER: cluster, TEAMS: ()})
    if settings is None or found:
        raise ProblemsError(*found)
    refuse(_deployed_already(root, team, settings))
    text = _STACK.format(cluster=written(cluster), team=written(team))
    return Source(root / shown, shown, text=text), settings


def _check_name(team: str, shown: str) -> None:
    try:
        check_team_name(team)
    except ValueError as error:
        raise ProblemsError(Problem(shown, 1, 1, "team", str(error))) from None


def _deployed_already(root: Path, team: str, settings: Settings) -> Iterator[Problem]:
    """A problem for each other stack of the cluster that would deploy the team too."""
    for stack in stacks_of(root, TeamsFolder(root / settings.tenants, settings.tenants)):
        kubernetes = stack.config.get(f"{PREFIX}kubernetes")
        cluster = kubernetes.get("clusterIdentifier") if isinstance(kubernetes, dict) else None
        same = cluster == settings.kubernetes.cluster_identifier
        if same and (stack.all_teams or team in stack.teams):
            message = (
                f"deploys {team} to {cluster} too; list other teams here, or create the team "
                "without --cluster"
            )
            yield stack.source.problem(("config", TEAMS), message)


def new_app(
    folder: TeamsFolder, settings: Settings, team: str, app: str, archetype: str
) -> tuple[str, str]:
    """Add an app to a team's file; return its position there, and its image.

    If it raises ProblemsError, the file is unchanged.
    """
    source = open_team(folder, team)
    apps = source.data.get("apps")
    before = apps if isinstance(apps, tuple) else ()
    at: Loc = ("apps", len(before))
    try:
        check_dns_label(app)
    except ValueError as error:
        raise ProblemsError(source.problem((*at, "app", "name"), str(error))) from None
    # An empty `apps` is filled in.
    refuse(each for each in problems(source, folder, settings) if each.path != "apps")

    repository = f"{settings.harbor.host}/{team}/{app}"
    head = _APP.format(archetype=archetype, name=written(app), repository=repository, tag=FIRST_TAG)
    entry = head + _REST[archetype]
    changed = Source(source.file, source.shown, text=with_entry(source, entry.splitlines()))
    if changed.data != {**source.data, "apps": (*before, frozen(yaml.safe_load(entry)))}:
        message = "is in a form that cannot be extended; add the app by hand"
        raise ProblemsError(source.problem(("apps",), message))
    # Reported at `apps`: the lines of the entry are not in the file.
    here = source.problem(("apps",), "", at_key=True)
    found = problems(changed, folder, settings)
    refuse(replace(problem, line=here.line, column=here.column) for problem in found)
    save(changed)
    return f"{source.shown}:{changed.problem(at, '').line}", f"{repository}:{FIRST_TAG}"
