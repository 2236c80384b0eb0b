"""Variables and secrets as charts have them, in Kubernetes' spelling, in that of a team's file."""

from collections.abc import Iterator

from specs.env_vars import VALUE
from specs.problem import Loc
from tools.migration.value import Value

# Where charts list further variables and whole secrets; `env` and `envFrom` are this file's own.
_ENV = ("extraEnv", "extraEnvVars")
_ENV_FROM = ("extraEnvFrom",)
_WHOLE = ("extraEnvVarsSecret", "envFromSecret")


def respell_secrets(entry: Value) -> None:
    """Write such values as a team's file has them; what has no counterpart stays, and is lost."""
    app = entry.mapping(("app",))
    if app is None:
        return
    for name, others in (("env", _ENV), ("envFrom", _ENV_FROM)):
        for holder in (entry, app):
            for key in (name, *others):
                if (holder, key) != (app, name):
                    _move(holder, key, app, name)
    for holder in (entry, app):
        for key in _WHOLE:
            secret = holder.data.get(key)
            if secret and isinstance(secret.data, str) and secret.data:
                source = Value(secret.source, secret.loc, {"secretRef": holder.data.pop(key)})
                _list_in(app, "envFrom", secret).data.append(source)
    _list_variables(app)
    for variable in _mappings(app, "env"):
        _name_secret(variable, ("valueFrom", "secretKeyRef"))
        if variable.find(("key",))[0].data == VALUE:
            del variable.data["key"]
    for source in _mappings(app, "envFrom"):
        _name_secret(source, ("secretRef",))


def _move(holder: Value, key: str, app: Value, name: str) -> None:
    found = holder.data.get(key)
    if found and isinstance(found.data, list):
        del holder.data[key]
        if found.data:
            _list_in(app, name, found).data.extend(found.data)


def _list_in(app: Value, name: str, origin: Value) -> Value:
    listed = app.data.get(name)
    if listed is None or not isinstance(listed.data, list):
        listed = app.data[name] = Value(origin.source, origin.loc, [])
    return listed


def _list_variables(app: Value) -> None:
    """`env: {NAME: value}`, as some charts write it."""
    env = app.mapping(("env",))
    if env is None:
        return
    variables = []
    for name, value in env.data.items():
        inside = value.data if isinstance(value.data, dict) else {"value": value}
        named = {"name": Value(value.source, value.loc, name), **inside}
        variables.append(Value(value.source, value.loc, named))
    app.data["env"] = Value(env.source, env.loc, variables)


def _mappings(app: Value, name: str) -> Iterator[Value]:
    listed = app.data.get(name)
    for each in listed.data if listed and isinstance(listed.data, list) else ():
        if isinstance(each.data, dict):
            yield each


def _name_secret(holder: Value, at: Loc) -> None:
    """`{name: x, key: y}` becomes `secretRef: x` and `key: y`; anything else in it stays."""
    reference = holder.mapping(at)
    if reference is None or "name" not in reference.data:
        return
    optional = reference.data.get("optional")
    known = {"name", "key"} | ({"optional"} if optional and optional.data is False else set())
    if reference.data.keys() - known:
        return
    holder.remove(at[:1])
    holder.data["secretRef"] = reference.data["name"]
    if "key" in reference.data:
        holder.data["key"] = reference.data["key"]
