"""`./sre fleet stacks`: the stacks for what runs them elsewhere."""

import argparse
import sys

from cli import Commands
from cli.diff import MISTAKE
from cli.fleet_options import positive, selected_stacks, selection
from cli.stack_options import ROOT


def add(actions: Commands) -> None:
    """Add the action to `./sre fleet`."""
    parser = actions.add_parser(
        "stacks",
        parents=[selection()],
        help="list the stacks for what runs them elsewhere",
        description="Lists the stacks: by name; as the matrix of a GitHub job, in at most 256 "
        "parts; or as Stack objects for the Pulumi Kubernetes Operator. Exit code: 0, or 1 for a "
        "wrong command line.",
        epilog="example: ./sre fleet stacks --affected origin/main --format github-matrix",
    )
    parser.add_argument(
        "--format",
        choices=("names", "github-matrix", "pko"),
        default="names",
        help="one name per line (default), JSON for `strategy.matrix.include`, or YAML",
    )
    parser.add_argument(
        "--part-size",
        metavar="N",
        type=positive,
        default=25,
        help="github-matrix: how many stacks a part has, unless that makes more than 256 parts "
        "(default: 25)",
    )
    operator = parser.add_argument_group("pko")
    operator.add_argument("--repository", metavar="URL", help="Git repository; needed")
    operator.add_argument(
        "--branch", metavar="NAME", default="main", help="branch that is deployed (default: main)"
    )
    operator.add_argument("--backend", metavar="URL", help="backend (default: Pulumi Cloud)")
    operator.add_argument(
        "--namespace",
        metavar="NAME",
        default="sre-platform",
        help="namespace of the objects (default: sre-platform)",
    )
    operator.add_argument(
        "--service-account",
        metavar="NAME",
        default="pulumi",
        help="identity of the pods that run Pulumi (default: pulumi)",
    )
    operator.add_argument(
        "--secret",
        metavar="NAME",
        default="sre-platform-credentials",
        help="Secret with the credentials (default: sre-platform-credentials)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    from tools.fleet.elsewhere import Operator, github_matrix, operator_objects
    from tools.review.affected import stacks
    from tools.review.git import GitError

    try:
        every = stacks(ROOT)
        selected = selected_stacks(arguments, every)
        if arguments.format == "pko":
            if not arguments.repository:
                raise ValueError("--repository is missing; name the Git repository's URL")
            operator = Operator(
                repository=arguments.repository,
                branch=arguments.branch,
                backend=arguments.backend,
                namespace=arguments.namespace,
                service_account=arguments.service_account,
                secret=arguments.secret,
            )
            print(operator_objects(selected, every, operator), end="")
            return 0
    except (GitError, ValueError) as error:
        print(f"./sre fleet: error: {error}", file=sys.stderr)
        return MISTAKE
    names = [stack.name for stack in selected]
    if arguments.format == "github-matrix":
        print(github_matrix(names, arguments.part_size))
    else:
        print("".join(f"{name}\n" for name in names), end="")
    return 0
