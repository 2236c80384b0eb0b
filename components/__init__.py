"""The program's components: Platform (shared by teams), Tenant (a team), App (one app)."""

from plain.lazy_annotations import leave_annotations

# Evaluating the SDKs' annotations takes half of the time to load them, and few are needed.
leave_annotations("pulumi_kubernetes", "pulumi_vault", "pulumiverse_harbor")

from components.app import App
from components.platform import Platform
from components.tenant import Tenant

__all__ = ["App", "Platform", "Tenant"]
