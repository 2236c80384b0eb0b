"""The program that every stack runs: it creates tenants and apps from the teams' files."""

import gc

# A run creates millions of objects, modules included, and hardly any cycles: collecting garbage
# less often saves a fifth of its time.
gc.set_threshold(1_000_000)

from pathlib import Path

import pulumi

from components import App, Platform, Tenant
from components.config import stack_settings
from components.deployed import deployed_teams
from components.host import end_without_traceback, send_no_debug_messages
from components.outputs import describe
from components.providers import providers
from components.shared import Shared
from specs.claims import kept, refused_changes, without_app
from specs.fleet import TeamsFolder, load_stack
from specs.lifecycle import cut_short, maybe_renamed, missing_steps
from specs.version import version

ROOT = Path(__file__).parent

end_without_traceback()
send_no_debug_messages()

settings = stack_settings(ROOT)
folder = TeamsFolder(ROOT / settings.tenants, settings.tenants)
fleet = load_stack(folder, settings)
before = deployed_teams()
claims = {name: team.claims for name, team in before.items()}
problems = fleet.problems or (
    *missing_steps(before, fleet.teams, folder, pulumi.get_stack()),
    *cut_short(before, fleet.teams, settings, pulumi.get_stack()),
    *refused_changes(claims, fleet.teams, folder),
)
if lines := list(map(str, problems)):
    raise pulumi.RunError("\n".join(lines))
for line in (*map(str, fleet.warnings), *maybe_renamed(before, fleet.teams)):
    pulumi.log.warn(line)
for line in without_app(claims, fleet.teams):
    pulumi.log.info(line)

opts = pulumi.ResourceOptions(providers=providers(settings))
adoption = None
if settings.adopt:
    from components.adoption import adopt  # importing the clients takes a second

    adoption = adopt(settings, fleet.teams)
shared = Platform(settings, opts).shared if settings.platform else Shared()

teams = {}
for team in fleet.teams:
    unused = kept(team, claims.get(team.name, {}))
    tenant = Tenant(team, settings, shared, opts, [claim.name for claim in unused])
    apps = []
    for app in team.deployed:
        held = adoption.held(team, app) if adoption else frozenset[str]()
        apps.append(App(app, tenant, settings, opts, held, partners=fleet.partners))
    teams[team.name] = describe(tenant, apps)

if adoption:
    adoption.sum_up()

pulumi.export("teams", teams)
pulumi.export("version", version())
