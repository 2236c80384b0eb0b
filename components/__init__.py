"""The program's doors: what a stack shares (Platform), a team's place (Tenant) and one app in it (App)."""

from components.app import App
from components.platform import Platform
from components.tenant import Tenant

__all__ = ["App", "Platform", "Tenant"]
