"""What is wrong with an opening, all of it, by file, line and field.

Collected while its files are read (`opening_file`), while they are held against each other
(`opening_check`), and while the desk holds them against the book: a person who moves in mends
everything at once.
"""

from comptoir.billing.opening import Where
from comptoir.units.errors import Invalid
from comptoir.units.reading import Problem, Reading, raise_all

MOST_FAULTS = 1_000
"""So many are told; a file that has more has something wrong in every line."""


class Faults:
    """The faults of the files of one opening."""

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}

    @property
    def any(self) -> bool:
        """Whether something is wrong so far."""
        return any(reading.problems for reading in self._readings.values())

    def of(self, file: str) -> Reading:
        """The reading of a file, which notes what is wrong with it."""
        return self._readings.setdefault(file, Reading(file, "docs/import.md: The files"))

    def add(self, where: Where, field: str, error: Invalid) -> None:
        """Note what is wrong with something that was read."""
        self.of(where.file).problems.append(
            Problem(where.line, field, error.code, error.message, error.next)
        )

    def take_over(self, file: str, error: Invalid) -> None:
        """Note all that another reader has found wrong with a file."""
        told = error.facts.get("problems") or [{"line": 1, "field": ""}]
        for one in told:
            line, code = one.get("line", 1), one.get("code", error.code)
            message = one.get("message", error.message)
            problem = Problem(line, one.get("field", ""), code, message, error.next)
            self.of(file).problems.append(problem)

    def raise_all(self) -> None:
        """Say no, if there is a reason.

        Raises:
            Invalid: the first fault, with all of them in its facts.
        """
        raise_all(self._readings.values(), MOST_FAULTS)
