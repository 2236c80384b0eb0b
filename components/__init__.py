"""The program's doors: Platform (what teams share), Tenant (a team's place), App (one app)."""

from components.app import App
from components.platform import Platform
from components.tenant import Tenant

__all__ = ["App", "Platform", "Tenant"]
