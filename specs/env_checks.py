"""Checks of an app's variables, commands and arguments, above all for credentials."""

from collections.abc import Iterator

from specs.container import Container, WebAppContainer, WorkerContainer
from specs.credentials import credential_form, looks_like_credential
from specs.env_vars import EnvVar
from specs.probes import given
from specs.problem import Finding, Loc


def check_env(env: tuple[EnvVar, ...], at: Loc) -> Iterator[Finding]:
    """Report variables without a value or with two, and credentials in plain ones."""
    seen: set[str] = set()
    for index, variable in enumerate(env):
        loc: Loc = (*at, index)
        if variable.name in seen:
            yield (*loc, "name"), f"'{variable.name}' is listed twice; remove one"
        seen.add(variable.name)
        if variable.value is not None and variable.secret_ref is not None:
            yield loc, "has both value and secretRef; keep one of the two"
        elif variable.value is None and variable.secret_ref is None:
            yield loc, "has neither value nor secretRef; add one of the two"
        elif variable.secret_ref is not None and variable.plain:
            yield (*loc, "plain"), "applies only to `value`; remove it"
        elif variable.value is not None and not variable.plain:
            reason = looks_like_credential(variable.name, variable.value)
            if reason:
                yield (
                    (*loc, "value"),
                    f"{reason}; use secretRef, or add `plain: true` if it is not a credential",
                )


def check_words(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report credentials in commands and arguments, which anyone who may view a pod can see."""
    reference = "write $(NAME) here"
    words: list[tuple[Loc, tuple[str, ...], str]] = [
        ((*at, key), getattr(process, key), reference)
        for at, process in container.processes(inner)
        for key in ("command", "args")
    ]
    if container.pre_stop and container.pre_stop.exec:
        at = (*inner, "preStop", "exec", "command")
        words.append((at, container.pre_stop.exec.command, "let a shell read it"))
    if isinstance(container, WebAppContainer | WorkerContainer):
        for key, probe in given(container.probes).items():
            if probe.exec:
                at = (*inner, "probes", key, "exec", "command")
                words.append((at, probe.exec.command, "let a shell read it"))
    for at, each, use in words:
        for index, word in enumerate(each):
            if form := credential_form(word):
                yield (*at, index), f"contains {form}; add a variable with a secretRef, and {use}"
