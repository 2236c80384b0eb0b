"""Checks of an app's variables, commands and arguments, above all for credentials."""

import re
from collections.abc import Iterator

from specs.container import Container, WebAppContainer, WorkerContainer
from specs.credentials import credential_form, flag_says_credential, looks_like_credential
from specs.env_vars import EnvVar
from specs.probes import given
from specs.problem import Finding, Loc

# A flag as a word of its own, and within a word, such as a script, with its value beside it.
_FLAG = re.compile(r"--?[A-Za-z][\w.-]*")
_FLAG_WITH_VALUE = re.compile(
    rf"""(?<!\S)({_FLAG.pattern})(?:=|\s+)["']?([^\s"'$`<>|&;()-][^\s"']*)"""
)


def check_env(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report variables without a value or with two, and credentials in plain ones."""
    seen: set[str] = set()
    whole = {(source.secret_ref, source.prefix) for source in container.env_from}
    for index, variable in enumerate(container.env):
        loc: Loc = (*inner, "env", index)
        if variable.name in seen:
            yield (*loc, "name"), f"'{variable.name}' is listed twice; remove one"
        elif _comes_with(whole, variable):
            yield (*loc, "name"), f"'{variable.name}' is also set by envFrom; remove it here"
        seen.add(variable.name)
        if variable.value is not None and variable.secret_ref is not None:
            yield loc, "has both value and secretRef; keep one of the two"
        elif variable.value is None and variable.secret_ref is None:
            yield loc, "has neither value nor secretRef; add one of the two"
        elif variable.secret_ref is not None and variable.plain:
            yield (*loc, "plain"), "applies only to `value`; remove it"
        elif variable.secret_ref is None and variable.key is not None:
            yield (*loc, "key"), "applies only to `secretRef`; remove it"
        elif variable.value is not None and not variable.plain:
            reason = looks_like_credential(variable.name, variable.value)
            if reason:
                yield (
                    (*loc, "value"),
                    f"{reason}; use secretRef, or add `plain: true` if it is not a credential",
                )

    taken: set[tuple[str, str]] = set()
    for index, source in enumerate(container.env_from):
        each = (source.secret_ref, source.prefix)
        if each in taken:
            loc = (*inner, "envFrom", index, "secretRef")
            yield loc, f"'{source.secret_ref}' is listed twice; remove one"
        taken.add(each)


def _comes_with(whole: set[tuple[str, str]], variable: EnvVar) -> bool:
    """Whether one of the whole secrets, each with its prefix, sets the same variable."""
    return variable.secret_ref is not None and any(
        name == variable.secret_ref and prefix + variable.secret_key == variable.name
        for name, prefix in whole
    )


def check_words(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report commands without a program, and credentials, which all who may view a pod can see."""
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
        if at[-1] == "command" and each and not each[0].strip():
            yield (*at, 0), "is empty; write the program's path, such as /bin/app"
        for index, word in enumerate(each):
            if form := credential_form(word):
                yield (*at, index), f"contains {form}; add a variable with a secretRef, and {use}"
            elif found := _flag_of(each[index - 1] if index else "", word):
                flag, said = found
                yield (
                    (*at, index),
                    f"has the value of '{flag}', whose name says {said}; add a variable with a "
                    f"secretRef, and {use}",
                )


def _flag_of(before: str, word: str) -> tuple[str, str] | None:
    """The flag whose value in `word` is a credential by the flag's name, and what that says."""
    given = _FLAG_WITH_VALUE.findall(word)
    if _FLAG.fullmatch(before) and not word.startswith("-"):
        given.append((before, word))
    for flag, value in given:
        if said := flag_says_credential(flag, value):
            return flag, said
    return None
