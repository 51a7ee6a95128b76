"""What is measured and how two arms are compared.

The arms of a row take turns (floor, ours, floor, ours, …), so that whatever else the machine does
meets both. A row's figures are medians over the rounds; its ratio is the median of the ratios of
the rounds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median

Round = tuple[float, float]
GIB, MIB, KIB = 1 << 30, 1 << 20, 1 << 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done. Counts are per round and arm; sizes in octets.

    entries, many: of the smaller and the larger registry
    patient_entries: entries of each patient, all of which its query finds
    rounds, queries: of the query rows; pairs: of registries of two sizes
    submissions: of one writer; together the writers send `writers` times as many
    transfers: rounds of the large documents; large, small: their sizes
    at_once: transfers at once whose memory is looked at
    scale: of the registries in which every query is asked, ascending
    scale_rounds, scale_queries: of each query in each of them
    patient_documents: of the one patient with many
    instances: of a CT
    references: of a manifest
    communities: that are asked at once
    """

    entries: int = 10_000
    many: int = 100_000
    patient_entries: int = 20
    rounds: int = 15
    queries: int = 400
    connections: int = 16
    submissions: int = 40
    submission_rounds: int = 9
    writers: int = 8
    transfers: int = 5
    large: int = GIB
    small: int = MIB
    at_once: tuple[int, ...] = (1, 8)
    scale: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    scale_rounds: int = 9
    scale_queries: int = 150
    patient_documents: int = 2_000
    instances: int = 500
    references: int = 20_000
    communities: tuple[int, ...] = (1, 8, 32)


QUICK = Sizes(
    many=30_000,
    rounds=5,
    queries=200,
    submissions=20,
    submission_rounds=5,
    transfers=3,
    large=256 * MIB,
    scale=(10_000, 100_000),
    scale_rounds=5,
    scale_queries=100,
    instances=100,
)
SMALLEST = Sizes(
    entries=60,
    many=120,
    patient_entries=20,
    rounds=1,
    queries=6,
    connections=2,
    submissions=2,
    submission_rounds=1,
    writers=2,
    transfers=1,
    large=2 * MIB,
    small=64 * KIB,
    at_once=(2,),
    scale=(60, 120),
    scale_rounds=1,
    scale_queries=4,
    patient_documents=30,
    instances=4,
    references=50,
    communities=(2,),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """More figures of a line. at: under what circumstances; values: by name, in its unit."""

    at: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result.

    row: of `design.md` section 8, the name for --only
    unit: of floor and ours; ratio: what is compared with `demand`
    demand: least ratio, or most when `is_most`; None for a line that only informs
    rounds: (floor, ours) of each round
    note: anything a reader needs to judge the figure
    figures: shown in a table of their own
    """

    row: str
    work: str
    unit: str
    floor: float | None
    ours: float
    ratio: float | None
    demand: float | None = None
    is_most: bool = False
    rounds: tuple[Round, ...] = ()
    note: str = ""
    figures: tuple[Figures, ...] = ()

    @property
    def is_met(self) -> bool | None:
        """None for a line that only informs."""
        if self.demand is None or self.ratio is None:
            return None
        return self.ratio <= self.demand if self.is_most else self.ratio >= self.demand


@dataclass(slots=True)
class Report:
    """Lines as they come; `tell` shows what is going on."""

    tell: Callable[[str], None]
    lines: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        self.lines.append(line)


def take_turns(
    arms: Sequence[Callable[[], float]], rounds: int, between: Callable[[], None] | None = None
) -> list[tuple[float, ...]]:
    """One figure of each arm for each round, the arms in turn.

    between: called after each arm, outside of its figure (removes what it has left)
    """
    figures = []
    for _ in range(rounds):
        figure = []
        for arm in arms:
            figure.append(arm())
            if between is not None:
                between()
        figures.append(tuple(figure))
    return figures


def compared(
    row: str,
    work: str,
    unit: str,
    rounds: Iterable[Sequence[float]],
    demand: float | None = None,
    *,
    is_most: bool = False,
    note: str = "",
    figures: tuple[Figures, ...] = (),
) -> Line:
    """A line of (floor, ours) rounds."""
    pairs = tuple((float(floor), float(ours)) for floor, ours in rounds)
    return Line(
        row,
        work,
        unit,
        median(floor for floor, _ in pairs),
        median(ours for _, ours in pairs),
        median(ours / floor for floor, ours in pairs),
        demand,
        is_most,
        pairs,
        note,
        figures,
    )


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
