"""Warnings about a `$(NAME)` that Kubernetes does not expand."""

import re
from collections.abc import Collection, Iterator, Sequence

from specs.container import Container, WebAppContainer, WorkerContainer
from specs.names import ENV_NAME
from specs.probes import given
from specs.problem import Finding, Loc
from specs.process_match import runs_shell

# What a kubelet expands: `$(NAME)`; it turns `$$` into `$`, so that `$$(NAME)` stays text.
_REFERENCE = re.compile(r"\$(?:\(([^)]*)\)|.)", re.DOTALL)

_NAME = re.compile(ENV_NAME)

# Clearly a name, and not a password that someone mistook for one.
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]*)*")

# Variables that Kubernetes itself adds for each Service of the namespace (Kubernetes: Service,
# "Environment variables").
_OF_A_SERVICE = re.compile(r".*_SERVICE_(HOST|PORT(_.+)?)|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_.+)?")


def check_references(container: Container, inner: Loc) -> Iterator[Finding]:
    """Warn about a `$(NAME)` that Kubernetes does not expand."""
    known: set[str] = set()
    # A whole secret may define every name that begins so.
    whole = tuple(source.prefix for source in container.env_from)
    names = [variable.name for variable in container.env]
    for index, variable in enumerate(container.env):
        loc: Loc = (*inner, "env", index, "value")
        for name in _references(variable.value or ""):
            if name not in known and not (name.startswith(whole) or _OF_A_SERVICE.fullmatch(name)):
                yield loc, _unexpanded(name, names, variable.name)
        known.add(variable.name)
    for at, process in container.processes(inner):
        shell = runs_shell([*process.command, *process.args])
        for key, words in (("command", process.command), ("args", process.args)):
            for index, word in enumerate(words):
                for name in _references(word):
                    if _is_missing(name, known, shell) and not name.startswith(whole):
                        yield (*at, key, index), _unexpanded(name, names)
    if container.pre_stop and container.pre_stop.exec:
        yield from _check_hook(
            container.pre_stop.exec.command, known, (*inner, "preStop", "exec", "command")
        )
    if isinstance(container, WebAppContainer | WorkerContainer):
        yield from _check_probes(container, known, (*inner, "probes"))


def _check_hook(words: Sequence[str], known: Collection[str], at: Loc) -> Iterator[Finding]:
    """Warn about variables in a hook's command (kubernetes: pkg/kubelet/lifecycle/handlers.go)."""
    for index, word in enumerate(words):
        for name in _references(word):
            if name in known:
                yield (
                    (*at, index),
                    f"Kubernetes does not expand $({name}) here; let a shell read it: "
                    f'["/bin/sh", "-c", "... ${name}"]',
                )


def _check_probes(
    container: WebAppContainer | WorkerContainer, known: Collection[str], at: Loc
) -> Iterator[Finding]:
    """Warn about variables in a probe's command that it does not get: secrets are empty there."""
    secret = {variable.name for variable in container.env if variable.secret_ref}
    for key, probe in given(container.probes).items():
        words = probe.exec.command if probe.exec else ()
        for index, word in enumerate(words):
            loc: Loc = (*at, key, "exec", "command", index)
            for name in _references(word):
                if name in secret:
                    yield (
                        loc,
                        f"$({name}) is empty here, as Kubernetes does not expand "
                        "secrets in a probe's command; "
                        f'let a shell read it: ["/bin/sh", "-c", "... ${name}"]',
                    )
                elif _is_missing(name, known, runs_shell(words)):
                    yield loc, _unexpanded(name, tuple(known))


def _references(text: str) -> Iterator[str]:
    """The names in `$(...)`, each once."""
    yield from dict.fromkeys(
        match[1] for match in _REFERENCE.finditer(text) if match[1] is not None
    )


def _is_missing(name: str, known: Collection[str], shell: bool) -> bool:
    """Whether a command's `$(name)` was meant to be a variable and does not exist.

    To a shell it is a command, which is by custom in lower case.
    """
    meant = bool(_NAME.fullmatch(name)) and not (shell and name.islower())
    return meant and name not in known and not _OF_A_SERVICE.fullmatch(name)


def _unexpanded(name: str, names: Sequence[str], own: str = "") -> str:
    """The warning about `$(name)`, for a container whose variables have these names."""
    if not _NAME.fullmatch(name):  # not shown: it may be anything
        return (
            "contains a $(...) without a variable's name, which Kubernetes does not expand; "
            "write $$(...) if you mean that"
        )
    if name == own:
        return (
            f"$({name}) refers to the variable itself, which Kubernetes does not expand; "
            "write the whole value"
        )
    if not _VARIABLE.fullmatch(name) and name.upper() not in (each.upper() for each in names):
        return (
            "contains a $(...) whose name `env` does not define, so Kubernetes does not expand it; "
            "define it in `env`, or write $$(...) if you mean that"
        )
    if name in names:
        return (
            f"$({name}) is defined further down, so Kubernetes does not expand it; "
            f"move {name} above {own}"
        )
    return (
        f"$({name}) is not defined above, so Kubernetes does not expand it; "
        f"define {name} in `env`, or write $$({name}) if you mean that"
    )
