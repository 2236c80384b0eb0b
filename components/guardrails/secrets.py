"""A team's ExternalSecrets."""

from components.guardrails.policy import SPEC_CHANGES, Policy, PolicyRule
from specs.settings import SECRET_STORE

_STORE = f"object.spec.?secretStoreRef.?name.orValue('') == '{SECRET_STORE}'"

# `find` searches the whole store, `sourceRef` names another store or a generator.
_ONE_BY_ONE = """\
object.spec.?data.orValue([]).all(entry, !has(entry.sourceRef))
&& object.spec.?dataFrom.orValue([]).all(entry,
  has(entry.extract) && !has(entry.find) && !has(entry.sourceRef)
)"""

# Strict, because a client would follow `..` or `%2e%2e` to another team's path.
_KEYS = """\
(
  object.spec.?data.orValue([]).map(entry, entry.remoteRef.key)
  + object.spec.?dataFrom.orValue([]).map(entry, entry.?extract.?key.orValue(''))
).all(key, key.matches('^sre/' + request.namespace + '(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$'))"""

# The operator would create the object with its own rights.
_TARGET = "!has(object.spec.target) || !has(object.spec.target.manifest)"


def policy() -> Policy:
    """A team's ExternalSecrets read only paths below `sre/<team>/`."""
    return Policy(
        "sre-secrets",
        resources={"external-secrets.io": ["externalsecrets"]},
        conditions=SPEC_CHANGES,
        rules=[
            PolicyRule(_STORE, f"secretStoreRef must name the platform's store, {SECRET_STORE}"),
            PolicyRule(
                _ONE_BY_ONE,
                "name each secret with data[].remoteRef or dataFrom[].extract; find and sourceRef "
                "are not allowed",
            ),
            PolicyRule(
                _KEYS,
                "a team's secrets are at sre/<team>/<name>; store it there and set "
                "apps[].app.env[].secretRef in the team's file",
            ),
            PolicyRule(_TARGET, "an ExternalSecret must create a Secret; remove target.manifest"),
        ],
    )
