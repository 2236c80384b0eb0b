"""Which hosts a team may use, and where their traffic goes."""

from components.guardrails.policy import SPEC_CHANGES, Policy, PolicyRule, literal
from specs.hosts import split_patterns
from specs.labels import HOSTS_ANNOTATION
from specs.settings import Settings

_ROUTES = """\
object.spec.?http.orValue([])
+ object.spec.?tls.orValue([])
+ object.spec.?tcp.orValue([])"""

_HOSTS = """\
object.spec.?hosts.orValue([]).all(host,
  host in variables.hosts || host.matches(variables.ownService)
)"""

# The gateway may reach every pod of every team: it must not route one team's traffic to another.
_DESTINATIONS = """\
variables.routes.all(route,
  (
    route.?route.orValue([]).map(each, each.destination)
    + route.?mirrors.orValue([]).map(each, each.destination)
    + [?route.?mirror]
  ).all(to, to.host.matches(variables.ownService))
  && route.?delegate.?namespace.orValue(request.namespace) == request.namespace
)"""

# Sidecars everywhere would send traffic for these addresses or names to the team.
_MATCHES = """\
variables.routes.all(route,
  route.?match.orValue([]).all(match,
    match.?destinationSubnets.orValue([]).size() == 0
    && match.?sniHosts.orValue([]).all(host,
      host in variables.hosts || host.matches(variables.ownService)
    )
  )
)"""


def _team_hosts(settings: Settings) -> str:
    """CEL for the namespace's hosts without the platform's, which another stack may not know."""
    full, domains = split_patterns(settings.platform_owned_hosts)
    return f"""\
namespaceObject.metadata.?annotations[?'{HOSTS_ANNOTATION}']
  .optMap(hosts, hosts.split(',')).orValue([])
  .filter(host,
    !(host in {literal(full)})
    && !{literal(domains)}.exists(domain, host.endsWith(domain))
  )"""


def policy(settings: Settings) -> Policy:
    """A team's VirtualServices use its own hosts, and route to its own Services."""
    return Policy(
        "sre-hosts",
        resources={"networking.istio.io": ["virtualservices"]},
        conditions=SPEC_CHANGES,
        variables={
            "hosts": _team_hosts(settings),
            # Without the suffix, a team called `com` would own example.com.
            "ownService": (
                r"r'^[a-z0-9-]+(\.' + request.namespace + r'\.svc(\.cluster\.local)?)?$'"
            ),
            "routes": _ROUTES,
        },
        rules=[
            PolicyRule(
                _HOSTS,
                "hosts must be in the team's file and not reserved for the platform; set "
                "apps[].ingress.host there",
            ),
            PolicyRule(
                "object.spec.?gateways.orValue([]).all(gateway,\n"
                f"  gateway in {literal(['mesh', *settings.istio.gateways])}\n)",
                "gateways must be the platform's; set apps[].ingress.gateway in the team's file",
            ),
            PolicyRule(
                _MATCHES,
                "routes must match the team's own hosts; remove destinationSubnets and "
                "other teams' sniHosts",
            ),
            PolicyRule(
                _DESTINATIONS,
                "traffic must go to Services in the team's own namespace; name one without "
                "a namespace, or as <service>.<team>.svc.cluster.local",
            ),
        ],
    )
