"""Probes that look for a process by a pattern, and find the shell that runs them.

The shell has the pattern on its own command line, so `pgrep -f` or `ps | grep` succeeds even when
the process is gone. pgrep excludes only itself.
"""

import re
import shlex
import warnings
from collections.abc import Iterator, Sequence
from itertools import groupby

_SHELLS = ("sh", "ash", "bash", "dash", "ksh", "mksh", "zsh")
_OPERATORS = "();<>|&\n"

# Options of pgrep and pkill that take a value, and those that may exclude the shell: by its parent,
# age, terminal and the like, or by inverting the match.
_TAKING = "dFgGJOPrstuU"
_NARROWING = {*"AFgOPrstv"} | {
    "--cgroup", "--ignore-ancestors", "--inverse", "--ns", "--older", "--parent", "--pgroup",
    "--pidfile", "--runstates", "--session", "--terminal",
}  # fmt: skip
_SIGNAL = re.compile(r"-([0-9]+|(SIG)?[A-Z][A-Z0-9]+)")

# Something that a shell would substitute: its own command line does not contain that.
_FILLED_IN = re.compile(r"`|\$[\w{($]")

# A pattern within these bounds is matched instantly, whatever the line.
_MOST_CHARACTERS, _MOST_REPEATED, _MOST_GROUPS = 500, 2, 2


def runs_shell(command: Sequence[str]) -> bool:
    """Whether a shell, which expands `$(...)` itself, is among a command's words."""
    return any(_name(word) in _SHELLS for word in command)


def finds_itself(command: Sequence[str]) -> tuple[int, str, str] | None:
    """The word of a probe's command that finds itself, its pattern, and a pattern that does not.

    None if there is no such word, or if that is not easy to tell.
    """
    line = " ".join(command)
    at = _script(command)
    if at is None:
        # Without a shell, only the process that waits for pgrep can match.
        waits = any(_name(word) == "timeout" for word in command)
        pattern = _looked_for(command, line) if waits else None
        return (len(command) - 1, pattern, _bracketed(pattern)) if pattern else None
    pipelines = list(_pipelines(command[at]))
    if _name(command[0]) == "bash" and pipelines == [[command[at].split()]]:
        return None  # bash runs a single command in its own place
    for pipeline in pipelines:
        first, *rest = pipeline
        pattern = None
        if first[0] != "exec" or rest:  # after an `exec`, no shell is left
            pattern = _looked_for(first, line) or _grepped(pipeline, line)
        if pattern:
            return at, pattern, _bracketed(pattern)
    return None


def _looked_for(words: Sequence[str], line: str) -> str | None:
    """The pattern of `pgrep -f`, if the command line matches it."""
    names = [_name(word) for word in words]
    program = next((name for name in names if name in ("pgrep", "pkill")), None)
    if program is None:
        return None
    flags, rest = set[str](), list(words[names.index(program) + 1 :])
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option.startswith("--"):
            flags.add(option.partition("=")[0])
        elif program == "pgrep" or not _SIGNAL.fullmatch(option):
            flags |= set(option[1:])
            if option[-1] in _TAKING:
                rest = rest[1:]
    if not rest or not flags & {"f", "--full"} or flags & _NARROWING:
        return None
    whole = bool(flags & {"x", "--exact"})
    any_case = bool(flags & {"i", "--ignore-case"})
    return rest[0] if _matches(rest[0], line, any_case, whole) else None


def _grepped(pipeline: Sequence[Sequence[str]], line: str) -> str | None:
    """The pattern of `ps ... | grep`, if the command line matches it and no `grep -v` follows."""
    (ps, *others) = pipeline
    greps = [words for words in others if _name(words[0]) in ("grep", "egrep", "fgrep")]
    columns = re.search(r" -?[A-Za-z]*o *(\S.*)", " ".join(ps))
    names_only = columns and not re.search(r"\b(args|cmd|command)\b", columns[1])
    if _name(ps[0]) != "ps" or not greps or names_only:
        return None
    options = {
        letter for words in greps for word in words if word[:1] == "-" for letter in word[1:]
    }
    pattern = next((word for word in greps[0][1:] if not word.startswith("-")), "")
    extended = _name(greps[0][0]) == "egrep" or options & {"E", "P"}
    if not pattern or "v" in options or (not extended and re.search(r"[+?|(){}\\]", pattern)):
        return None
    return pattern if _matches(pattern, line, "i" in options) else None


def _matches(pattern: str, line: str, any_case: bool, whole: bool = False) -> bool:
    """Whether the line matches an extended regular expression; False if that is unclear."""
    if len(line) > _MOST_CHARACTERS or _FILLED_IN.search(pattern):
        return False
    bare = re.sub(r"\\.|\[\^?\]?[^]]*\]", "", pattern)
    if (
        re.search(r"\{|\)[*+?]", bare)
        or bare.count("(") > _MOST_GROUPS
        or len(re.findall(r"[*+?]", bare)) > _MOST_REPEATED
    ):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):  # on other dialects
            expression = re.compile(pattern, re.IGNORECASE if any_case else 0)
    except re.error:
        return False
    return bool(expression.fullmatch(line) if whole else expression.search(line))


def _bracketed(pattern: str) -> str:
    """The pattern with a letter of each alternative in brackets, so that it cannot match itself."""
    first = re.compile(r"^([^A-Za-z0-9\\[]*)([A-Za-z0-9])")
    return "|".join(first.sub(r"\1[\2]", each) for each in pattern.split("|"))


def _script(command: Sequence[str]) -> int | None:
    """The index of the script in `sh -c SCRIPT`."""
    shells = [at for at, word in enumerate(command) if _name(word) in _SHELLS]
    for at in range(shells[0], len(command) - 1) if shells else ():
        if re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", command[at]):
            return at + 1
    return None


def _pipelines(script: str) -> Iterator[list[list[str]]]:
    """The script's commands, as words, by pipeline; empty if it cannot be parsed."""
    # Substituted commands are scripts of their own.
    plain = re.sub(r'"(\$\([^"]*\))"', r"\1", script).replace("`", "\n")
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    try:
        words = list(lexer)
    except ValueError:
        return
    pipeline: list[list[str]] = []
    for is_operator, group in groupby(words, lambda word: set(word) <= set(_OPERATORS)):
        part = list(group)
        if not is_operator:
            pipeline.append(part)
        elif pipeline and part not in (["|"], ["|&"]):
            yield pipeline
            pipeline = []
    if pipeline:
        yield pipeline


def _name(program: str) -> str:
    return program.rpartition("/")[2]
