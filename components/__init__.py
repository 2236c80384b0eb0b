"""The program's components: Platform (shared by teams), Tenant (a team), App (one app)."""

from components.app import App
from components.platform import Platform
from components.tenant import Tenant

__all__ = ["App", "Platform", "Tenant"]
