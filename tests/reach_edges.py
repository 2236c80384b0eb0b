"""Edges of made-up fleets, for tests of pictures."""

from itertools import permutations
from random import Random

from tools.reach.edges import Edge, EdgeKind, Node, Reason

DNS = Node("platform", "kube-system", "k8s-app=kube-dns")
GATEWAY = Node("gateway", "istio-system", "istio=ingressgateway")
PROMETHEUS = Node("prometheus", "monitoring", "*")
ANYWHERE = Node("outside", "", "anywhere")
PARTNERS = Node("outside", "", "10.200.0.0/16")
NAMES = ("api", "ledger", "mailer", "orders", "payments", "search", "storefront", "worker")
# Apps cannot have such names; what shows them escapes them all the same.
ODD = 'a <b>bold</b> & "quoted" \\ name'


def app(team: str, name: str) -> Node:
    return Node("app", team, name)


def edge(source: Node, target: Node, port: str, kind: EdgeKind, policy: str = "") -> Edge:
    reasons = (
        Reason("egress", policy, f"egress rule 1 lets it reach {target.shown} on {port}"),
        Reason("mesh", "", "no AuthorizationPolicy selects it"),
    )
    return Edge(source, target, port, kind, reasons)


def fleet(teams: int, apps: int, crossing: int, seed: int = 1) -> list[Edge]:
    """Teams whose apps reach each other, the platform and the world; some reach other teams."""
    random = Random(seed)
    found: set[Edge] = set()
    every: list[Node] = []
    for number in range(teams):
        team = f"team-{number:02}"
        names = NAMES if apps <= len(NAMES) else [f"{NAMES[n % 8]}-{n}" for n in range(apps)]
        own = [app(team, name) for name in random.sample(names, apps)]
        every += own
        policy = f"NetworkPolicy {team}/allow-same-namespace"
        for source, target in permutations(own, 2):
            found.add(edge(source, target, "all ports", "same-team", policy))
        for node in own:
            found.add(edge(node, DNS, "53/TCP", "platform", f"NetworkPolicy {team}/allow-dns"))
            found.add(edge(node, DNS, "53/UDP", "platform", f"NetworkPolicy {team}/allow-dns"))
            found.add(edge(PROMETHEUS, node, "15020/TCP", "platform"))
            found.add(edge(node, ANYWHERE, "443/TCP", "outside"))
            if random.random() < 0.5:
                found.add(edge(GATEWAY, node, "8080/TCP", "platform"))
            if random.random() < 0.2:
                found.add(edge(node, PARTNERS, "8443/TCP", "outside"))
    while crossing:
        source, target = random.sample(every, 2)
        if source.team != target.team:
            policy = f"NetworkPolicy {source.team}/{source.app}"
            found.add(edge(source, target, "8080/TCP", "cross-team", policy))
            crossing -= 1
    return sorted(found, key=lambda each: (each.source, each.target, each.port))
