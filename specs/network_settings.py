"""What is wrong with the services that a stack defines for apps to call."""

from collections.abc import Iterator

from specs.call_checks import address_in, check_outside_port, in_cluster, is_in_cluster, too_wide
from specs.fleet import SUFFIX, TeamsFolder
from specs.problem import Finding, Loc, listed_twice
from specs.settings import PREFIX, PlatformService, Settings

_TARGETS = ("namespace", "host", "cidrs")


def check_network(settings: Settings, folder: TeamsFolder) -> Iterator[Finding]:
    """Report what is wrong with each service of `network.platform`."""
    for name, service in settings.network.platform.items():
        loc: Loc = ("config", f"{PREFIX}network", "platform", name)
        yield from _check_shape(service, loc)
        for key, values in (("cidrs", service.cidrs), ("ports", map(str, service.ports))):
            yield from listed_twice(((*loc, key, index), each) for index, each in enumerate(values))
        if service.namespace and (folder.path / f"{service.namespace}{SUFFIX}").exists():
            yield (
                (*loc, "namespace"),
                f"'{service.namespace}' is a team's namespace, and teams' apps are called by "
                "`team` and `app`; name a namespace of the platform",
            )
        for index, port in enumerate(() if service.namespace else service.ports):
            if message := check_outside_port(port):
                yield (*loc, "ports", index), message
        if service.host and (message := _check_host(service.host, settings)):
            yield (*loc, "host"), message


def _check_host(host: str, settings: Settings) -> str | None:
    if network := address_in(host):
        return f"'{host}' is an address; write it in `cidrs`, such as `cidrs: [{network}]`"
    if is_in_cluster(host, settings):
        return in_cluster(host, "by `namespace` and `podLabels`")
    return too_wide(host)


def _check_shape(service: PlatformService, loc: Loc) -> Iterator[Finding]:
    given = [key for key in _TARGETS if getattr(service, key)]
    if not given:
        yield loc, f"names nothing to call; add one of {', '.join(_TARGETS)}"
    elif len(given) > 1:
        yield (*loc, given[1]), f"cannot be used with `{given[0]}`; write it as another service"
    elif service.pod_labels and service.namespace is None:
        yield (*loc, "podLabels"), f"applies only to `namespace`, not to `{given[0]}`; remove it"
