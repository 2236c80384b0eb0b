"""What commands share that report on the files of all teams, or of one."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cli.stack_options import add_format, options, stack_files
from specs.fleet import SUFFIX
from specs.load import TeamFile, load_team
from specs.problem import Problem, ProblemsError


@dataclass(frozen=True)
class TeamReport:
    """The team files that the options name, and the problems of their folder."""

    files: Sequence[TeamFile]
    folder_problems: Sequence[Problem]

    def finish(self) -> int:
        """Print the files' warnings; return 0, or raise ProblemsError for their problems."""
        for warning in (warning for file in self.files for warning in file.warnings):
            print(warning.as_warning(), file=sys.stderr)
        problems = [problem for file in self.files for problem in file.problems]
        problems += self.folder_problems
        if problems:
            raise ProblemsError(*problems)
        return 0


def report_options() -> argparse.ArgumentParser:
    """Those of team files, `--team` and `--format`, as a parent of a command's parser."""
    parser = argparse.ArgumentParser(add_help=False, parents=[options()])
    parser.add_argument("--team", metavar="NAME", help="only this team (default: all)")
    add_format(parser)
    return parser


def team_report(arguments: argparse.Namespace) -> TeamReport:
    """What the options name. Raises ProblemsError if the stack's file is wrong."""
    stack = stack_files(arguments)
    folder = stack.folder
    named = folder.path / f"{arguments.team}{SUFFIX}"
    paths = [named] if arguments.team else folder.files()
    files = [load_team(path, folder.shown_as(path), stack.settings) for path in paths]
    return TeamReport(files, [] if arguments.team else [*folder.problems()])
