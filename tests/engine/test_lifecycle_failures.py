"""A team's way through its life where a run fails half-way: what counts is what that has left."""

import re
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.checkouts import ROOT, Checkout, Run
from tests.engine.refusing import FILE
from tests.engine.shared import once
from tests.engine.test_lifecycle import ACCESS, BETA, DATA, WORKLOADS, of_beta, robot

pytestmark = pytest.mark.engine

DEVELOPERS = "RoleBinding team-beta/team-beta-developers"


class RefusingCheckout(Checkout):
    """A checkout whose servers refuse what it says."""

    module = "tests.engine.refusing"

    # A copy has no tests: they come from here, and everything else from the copy.
    environment = MappingProxyType({"PYTHONPATH": str(ROOT)})

    def refuse(self, *operations: str) -> None:
        (self.folder / FILE).write_text("\n".join(operations), encoding="utf-8")

    def go_to(self, step: str) -> Run:
        """An `up` with the team's file so; `gone`: without it. A preview would say no more."""
        file = self.folder / BETA
        if step == "gone":
            file.unlink(missing_ok=True)
        else:
            self.restore(BETA)
            self.edit(BETA, "lifecycle: active", f"lifecycle: {step}")
        return self.run("hasty")

    def without_file(self) -> Run:
        """What a preview says to the team's file being deleted; the file is put back."""
        file = self.folder / BETA
        text = file.read_text(encoding="utf-8")
        file.unlink()
        preview = self.run("preview")
        file.write_text(text, encoding="utf-8")
        return preview


@pytest.fixture
def checkout(provisioned: tuple[Checkout, Run], tmp_path: Path) -> RefusingCheckout:
    """A provisioned checkout of the test's own."""
    return RefusingCheckout.twin(provisioned[0], tmp_path / "checkout")


@pytest.fixture(scope="module")
def offboarded(
    provisioned: tuple[Checkout, Run], tmp_path_factory: pytest.TempPathFactory
) -> RefusingCheckout:
    """A provisioned checkout after the team's offboarding. No test changes it."""

    def make(folder: Path) -> RefusingCheckout:
        checkout = RefusingCheckout.twin(provisioned[0], folder)
        assert checkout.go_to("offboarding").code == 0
        return checkout

    return once(tmp_path_factory, "offboarded", make)


@pytest.fixture
def offboarding(offboarded: RefusingCheckout, tmp_path: Path) -> RefusingCheckout:
    """Such a checkout of the test's own."""
    return RefusingCheckout.twin(offboarded, tmp_path / "checkout")


def assert_held(checkout: RefusingCheckout) -> None:
    """The file cannot go, and the message names some of what is there."""
    preview = checkout.without_file()
    assert preview.code == 1
    (line,) = re.findall(r"tenants/team-beta\.yaml:1:1: .*", preview.output)
    assert "(file): team-beta no longer has a file, but " in line
    said = line.partition("but ")[2].partition(" still there")[0]
    names = re.findall(r"[A-Z]\w+ team-beta[\w/.-]*", said)
    assert names
    assert set(names) <= checkout.names()


def is_closed(checkout: RefusingCheckout) -> bool:
    """Whether nobody has access and nothing runs, as the state has it."""
    has = of_beta(checkout)
    return not has & (ACCESS | WORKLOADS) and robot(checkout)["disable"] is True


@pytest.mark.parametrize(
    ("start", "step", "refused"),
    [
        ("active", "suspended", "update ResourceQuota team-beta/.*"),
        ("active", "offboarding", "update RobotAccount team-beta/pull"),
        ("suspended", "offboarding", "delete ProjectMemberGroup team-beta/.*"),
        ("offboarding", "active", f"create {DEVELOPERS}"),
    ],
)
def test_a_step_that_failed_is_not_taken_for_done(
    provisioned: tuple[Checkout, Run],
    offboarded: RefusingCheckout,
    tmp_path: Path,
    start: str,
    step: str,
    refused: str,
) -> None:
    before = offboarded if start == "offboarding" else provisioned[0]
    checkout = RefusingCheckout.twin(before, tmp_path / "checkout")
    if start == "suspended":
        assert checkout.go_to(start).code == 0
    checkout.refuse(refused)
    failed = checkout.go_to(step)
    assert failed.code == 1
    assert "not allowed to " in failed.output
    if start != "offboarding" or not is_closed(checkout):
        assert_held(checkout)

    checkout.refuse()
    assert checkout.go_to(step).code == 0  # forwards
    if step == "offboarding":
        assert is_closed(checkout)
        assert checkout.without_file().code == 0
        assert checkout.go_to("active").code == 0  # and back
    assert of_beta(checkout) >= DATA | ACCESS | WORKLOADS
    assert robot(checkout)["disable"] is False


def test_one_role_binding_that_is_left_holds_the_team(checkout: RefusingCheckout) -> None:
    checkout.refuse(f"delete {DEVELOPERS}")
    held = f"team-beta no longer has a file, but {DEVELOPERS} is still there; put it back"
    # The refusal ends a run wherever the others are by then; each run gets further.
    for _ in range(10):
        assert checkout.go_to("offboarding").code == 1
        if held in checkout.without_file().output:
            break
    assert of_beta(checkout) & (ACCESS | WORKLOADS) == {DEVELOPERS}
    gone = checkout.go_to("gone")
    assert gone.code == 1
    assert held in gone.output
    assert of_beta(checkout) >= DATA


def test_a_deletion_that_failed_goes_on_without_the_file(offboarding: RefusingCheckout) -> None:
    checkout = offboarding
    checkout.refuse("delete Namespace team-beta")
    assert checkout.go_to("gone").code == 1
    assert "Namespace team-beta" in of_beta(checkout)
    checkout.refuse()
    assert checkout.go_to("gone").code == 0
    assert of_beta(checkout) == set()


def test_a_deletion_that_failed_can_be_taken_back(
    provisioned: tuple[Checkout, Run], offboarding: RefusingCheckout
) -> None:
    before, checkout = of_beta(provisioned[0]), offboarding
    checkout.refuse("delete Namespace team-beta")
    assert checkout.go_to("gone").code == 1
    checkout.refuse()
    assert checkout.go_to("active").code == 0
    assert of_beta(checkout) == before


def test_a_state_that_was_restored_counts_as_it_is(checkout: RefusingCheckout) -> None:
    assert checkout.run("export active.json").code == 0
    assert checkout.go_to("offboarding").code == 0
    assert checkout.run("export offboarding.json").code == 0
    assert checkout.run("import active.json").code == 0
    assert_held(checkout)
    assert checkout.run("import offboarding.json").code == 0
    assert checkout.without_file().code == 0
    assert checkout.run("import active.json").code == 0
    assert checkout.go_to("offboarding").code == 0
    assert checkout.go_to("gone").code == 0


def test_a_team_that_is_moved_to_another_stack_may_go(checkout: RefusingCheckout) -> None:
    assert_held(checkout)
    assert checkout.run("move team-beta").code == 0
    checkout.edit("Pulumi.dev.yaml", 'sre-platform:teams: "*"', "sre-platform:teams: [team-alpha]")
    preview = checkout.run("preview")
    assert preview.code == 0, preview.output
    assert preview.count("unchanged") == len(checkout.resources())
