"""The stack's output `teams`: where each team's resources are, for people and other programs."""

from collections.abc import Sequence
from typing import Any

from components.app import App
from components.routing import outside
from components.tenant import Tenant


def describe(tenant: Tenant, apps: Sequence[App]) -> dict[str, Any]:
    """`lifecycle`, `namespace`, `registry`, `openbao` (where images and secrets are), `apps`."""
    return {
        "lifecycle": tenant.team.lifecycle,
        "namespace": tenant.namespace,
        "registry": tenant.registry,
        "openbao": tenant.openbao,
        "apps": {app.app.name: _describe_app(app) for app in apps},
    }


def _describe_app(app: App) -> dict[str, Any]:
    """`archetype`; for a web-app its `address` in the cluster and, with ingress, its `url`.

    `urls` are all of its addresses from outside, if there are several.
    """
    about: dict[str, Any] = {"archetype": app.app.archetype}
    if app.address is not None:
        about["address"] = app.address
    return about | outside(app.urls)
