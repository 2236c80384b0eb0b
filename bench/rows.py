"""The comparisons of `make bench`, with a function for each row of its table.

`figure` selects the figure of a run that decides; `times` is how often each of the two runs.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from bench import checkouts
from bench.generated_teams import generate, write_team, write_teams
from bench.measure import PYTHON, ROOT, Cost, cost, interleaved, run
from bench.measured_row import MeasuredRow, mebibytes, seconds
from bench.previews import Preview, preview

# The least that a program spends on YAML: libyaml reads each file, and nothing else happens.
PARSE = """
import sys, pathlib, yaml
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
    yaml.load(file.read_bytes(), yaml.CSafeLoader)
"""


def validate(work: Path, teams: int, times: int, figure: Callable[[Cost], float]) -> MeasuredRow:
    """`./sre validate` against parsing the same files."""
    folder = work / f"validate-{teams}"
    write_teams(folder, teams)
    ours, theirs = interleaved(
        times,
        cost(ROOT / "sre", "validate", "--tenants", folder),
        cost(PYTHON, "-c", PARSE, folder),
    )
    return MeasuredRow(
        f"`./sre validate`, {teams:,} teams of 3 apps",
        "parsing the same YAML with libyaml",
        _times(ours),
        _times(theirs),
        figure(ours) / figure(theirs),
        4,
    )


def start(times: int, figure: Callable[[Cost], float]) -> MeasuredRow:
    """`./sre validate` of one file against Python that does nothing."""
    ours, theirs = interleaved(
        times,
        cost(ROOT / "sre", "validate", ROOT / "tenants" / "team-alpha.yaml"),
        cost(PYTHON, "-c", "pass"),
    )
    return MeasuredRow(
        "start: `./sre validate` of one file",
        "`python -c pass`",
        _times(ours),
        _times(theirs),
        figure(ours) - figure(theirs),
        0.5,
        "s more",
    )


_DIFF = (ROOT / "sre", "diff", "--base", "HEAD")


def _with_cache(folder: Path) -> tuple[str, str]:
    """The beginning of a command with another user's cache."""
    return "env", f"XDG_CACHE_HOME={folder}"


def diff(work: Path, times: int) -> MeasuredRow:
    """`./sre diff` of the shipped teams, which renders two sides, against one render.

    Whether the working tree differs from the commit does not matter. No side is kept.
    """
    ours, theirs = interleaved(
        times,
        cost(*_with_cache(Path(os.devnull)), *_DIFF, codes=(0, 2, 3)),
        cost(ROOT / "sre", "render", "--out", work / "rendered-once"),
    )
    return MeasuredRow(
        "`./sre diff` of the shipped teams",
        "`./sre render` of the same",
        _times(ours),
        _times(theirs),
        ours.cpu / theirs.cpu,
        2.5,
    )


def diff_of_code(work: Path, teams: int) -> MeasuredRow:
    """`./sre diff` of two changes of code since the same base, the first with an empty cache."""
    folder = checkouts.repository(work / f"diff-{teams}", teams)
    command = (*_with_cache(work / "cache"), folder / "sre", *_DIFF[1:])
    code = folder / "components" / "namespace.py"
    before = code.read_text(encoding="utf-8")
    costs: list[Cost] = []
    for injection in ("first", "second"):
        changed = before.replace(
            '"istio-injection": "enabled"', f'"istio-injection": "{injection}"'
        )
        code.write_text(changed, encoding="utf-8")
        costs.append(run(*command, codes=(2, 3))[0])
    theirs, ours = costs
    return MeasuredRow(
        f"`./sre diff` of a second change of code, {teams:,} teams",
        "of the first, which also renders the base",
        _times(ours),
        _times(theirs),
        ours.cpu / theirs.cpu,
        0.7,
    )


def previews(
    teams: int, ours: Preview, bare: Preview, figure: Callable[[Preview], float]
) -> MeasuredRow:
    """A preview of all teams against one of the bare program."""
    return MeasuredRow(
        f"preview of all teams, {teams:,}",
        f"a bare program, {bare.resources:,.0f} resources",
        _times(ours),
        _times(bare),
        figure(ours) / figure(bare),
        1.1,
        why="A program loads its modules before the first resource, which matters in a small "
        "fleet: ours loads models and components as well.",
    )


def linear(what: str, few: Preview, many: Preview) -> MeasuredRow:
    """Whether a resource costs the same among many as among few.

    Among ten times as many, it may cost a quarter more, which is less than n log n would take.
    """
    return MeasuredRow(
        f"time per resource of {what}, {many.resources:,.0f} resources",
        f"{few.resources:,.0f} resources",
        seconds(many.each),
        seconds(few.each),
        many.each / few.each,
        1.25,
        why="Python's cyclic garbage collector repeatedly traverses everything that a program "
        "holds; `__main__.py` makes it run less often.",
    )


def peak(what: str, ours: float, bare: Preview) -> MeasuredRow:
    """Peak memory, in MiB, against that of the bare program."""
    return MeasuredRow(
        f"peak memory: {what}",
        f"the bare program's preview, {bare.resources:,.0f} resources",
        mebibytes(ours),
        mebibytes(bare.peak),
        ours / bare.peak,
        1.25,
    )


def render(folder: Path, out: Path) -> Cost:
    """`./sre render` of a checkout's teams."""
    return run(ROOT / "sre", "render", "--tenants", folder / "tenants", "--out", out)[0]


def against_helm(teams: int, rendered: Cost, an_app: float, apps: int) -> MeasuredRow:
    """`./sre render` against Helm, which took `an_app` seconds per app: the mean of `apps` apps.

    A figure without a limit: render runs the program, so that it shows what the program makes.
    """
    all_apps = 3 * teams * an_app
    return MeasuredRow(
        f"`./sre render`, {teams:,} teams of 3 apps",
        f"`helm template`, one chart per app, {apps} scaled up",
        _times(rendered),
        seconds(all_apps),
        all_apps / rendered.wall,
        None,
        "times faster",
    )


def reach(work: Path, few: int, many: int) -> list[MeasuredRow]:
    """All edges of `./sre reach`, from objects in memory; more teams, more edges."""
    folder = checkouts.enforcing(work / "reach", many)
    measured = {}
    for teams in (few, many):
        spent, printed = run(PYTHON, "-m", "bench.reach", folder, str(teams))
        measured[teams] = spent, json.loads(printed)
    (_, less), (spent, more) = measured[few], measured[many]
    what = f"what may reach what, {many:,} teams of 3 apps, {more['edges']:,} edges"
    each, before = more["cpu"] / more["edges"], less["cpu"] / less["edges"]
    return [
        MeasuredRow(
            what,
            "a limit",
            f"{seconds(more['wall'])} (CPU {seconds(more['cpu'])})",
            seconds(10),
            more["wall"],
            10,
            "s",
        ),
        MeasuredRow(
            f"peak memory: {what}",
            "a limit",
            mebibytes(spent.peak),
            mebibytes(1024),
            spent.peak,
            1024,
            "MiB",
        ),
        MeasuredRow(
            "CPU time per edge of the same",
            f"{few:,} teams, {less['edges']:,} edges",
            f"{each * 1e6:.0f} µs",
            f"{before * 1e6:.0f} µs",
            each / before,
            1.25,
        ),
    ]


def one_team(
    work: Path, few: int, many: int, times: int, figure: Callable[[Preview], float]
) -> MeasuredRow:
    """A preview of one team's stack when few and when many teams exist."""
    folders = [checkouts.one_team(work / f"one-{teams}", teams) for teams in (many, few)]
    ours, theirs = interleaved(times, *map(preview, folders))
    return MeasuredRow(
        f"preview of one team's stack where {many:,} teams exist",
        f"where {few:,} exist",
        _times(ours),
        _times(theirs),
        figure(ours) / figure(theirs),
        1.2,
    )


def _fleet(folder: Path, stacks: int, *options: str) -> Cost:
    _, printed = run(PYTHON, "-m", "bench.fleet", folder, str(stacks), *options)
    return Cost(**json.loads(printed.splitlines()[-1]))


def fleet(work: Path, few: int, many: int, singly: int) -> list[MeasuredRow]:
    """`./sre fleet preview` of stacks of one team each, as if nothing of them existed yet.

    `singly` is how many are previewed one by one; more cost as much each.
    """
    folder, larger = (checkouts.fleet(work / f"fleet-{teams}", teams) for teams in (few, many))
    single = _fleet(folder, singly, "--singly")
    ours = _fleet(folder, few)
    ones = Cost(single.wall * few / singly, single.cpu * few / singly, single.peak)
    all_of_many = _fleet(larger, many)
    four, one = _fleet(folder, 4, "--memory"), _fleet(folder, 1, "--singly", "--memory")
    what = f"`./sre fleet preview` of {few:,} team stacks"
    against = f"one preview after another, {singly} scaled up"
    return [
        MeasuredRow(what, against, _times(ours), _times(ones), ours.wall / ones.wall, 0.25),
        MeasuredRow(
            f"CPU time of the same, {few:,} stacks",
            against,
            seconds(ours.cpu),
            seconds(ones.cpu),
            ours.cpu / ones.cpu,
            0.5,
        ),
        MeasuredRow(
            f"`./sre fleet preview` of {many:,} team stacks",
            f"{few:,} stacks",
            _times(all_of_many),
            _times(ours),
            all_of_many.wall / ours.wall,
            10.5,
        ),
        MeasuredRow(
            "peak memory of four stacks' previews, all processes",
            "four times that of one",
            mebibytes(four.peak),
            mebibytes(4 * one.peak),
            four.peak / (4 * one.peak),
            1.1,
        ),
    ]


def change(work: Path, teams: int) -> MeasuredRow:
    """What a preview touches when one team's first image gets a new version."""
    folder = checkouts.all_teams(work / f"change-{teams}", teams)
    team = generate(0)
    team["apps"][0]["app"]["image"]["tag"] = "v10.0.0"
    file = write_team(work, team)
    _, printed = run(PYTHON, "-m", "bench.engine", folder, "--changed", file)
    counts = json.loads(printed.splitlines()[-1])
    return MeasuredRow(
        f"one key changed in one of {teams:,} teams",
        "resources whose inputs change",
        f"{counts['touched']} touched",
        f"{counts['changed']} change",
        counts["differing"],
        0,
        "resources off",
    )


def _times(figures: Cost | Preview) -> str:
    return f"{seconds(figures.wall)} (CPU {seconds(figures.cpu)})"
