"""The program that every stack runs: its teams' files become tenants and their apps."""

from pathlib import Path

import pulumi

from components import App, Platform, Tenant
from components.config import stack_settings
from components.outputs import describe
from components.providers import providers
from components.shared import Shared
from specs.fleet import TeamsFolder, load_stack

ROOT = Path(__file__).parent

settings = stack_settings(ROOT)
fleet = load_stack(TeamsFolder(ROOT / settings.tenants, settings.tenants), settings)
if fleet.problems:
    raise pulumi.RunError("\n".join(map(str, fleet.problems)))

opts = pulumi.ResourceOptions(providers=providers(settings))
shared = Platform(settings, opts).shared if settings.platform else Shared()

for team in fleet.teams:
    tenant = Tenant(team, settings, shared, opts)
    for app in team.apps:
        App(app, tenant, settings, opts)

pulumi.export("teams", {team.name: describe(team, settings) for team in fleet.teams})
