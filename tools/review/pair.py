"""One object on both sides of a change, as rules see it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.review.rendered_objects import RenderedObject, Side
from tools.review.review_findings import Rules


@dataclass(frozen=True)
class Hit:
    """A rule's result: `detail` describes it, `controls` are added to the rule's own."""

    rule: Rules
    detail: str
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """An object before and after: None if a side lacks it. `base` and `head` are the sides."""

    before: RenderedObject | None
    after: RenderedObject | None
    base: Side
    head: Side

    @property
    def object(self) -> RenderedObject:
        """The object after the change, or before it if it is removed."""
        either = self.after or self.before
        assert either is not None
        return either

    def was(self, path: str, otherwise: Any = None) -> Any:
        """The value at a path before."""
        return self.before.get(path, otherwise) if self.before else otherwise

    def now(self, path: str, otherwise: Any = None) -> Any:
        """The value at a path after."""
        return self.after.get(path, otherwise) if self.after else otherwise


# Examines an object that is new or changed; removals are reported for all kinds alike.
ObjectRule = Callable[[Pair], Iterator[Hit]]


def listed(items: Iterable[object]) -> str:
    """`a, b and c`, in their order."""
    texts = [str(item) for item in items]
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))
