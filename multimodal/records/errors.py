"""The errors of the package: every one of them names what was wrong, where, and what to do.

InputError(ValueError)          anything that the user's input, files or options cause
|-- UsageError                  the call itself is wrong                                exit 2
|-- CohortError                 the input as a whole is refused, nothing is written     exit 3
|-- RecordError                 one record (a PatientRecord made in Python) is refused  exit 3
|-- ItemError                   one image, note or measurement is refused               costs that item only
`-- ModelError                  a model folder is damaged, edited or too new            exit 5
"""

from __future__ import annotations

from collections.abc import Sequence

from .reasons import REASONS, Problem


class InputError(ValueError):
    """Something the input caused; `str(error)` is one line per problem, without note text or identifiers."""

    exit_status = 3


class UsageError(InputError):
    """The call is wrong: an unknown option, an output that exists."""

    exit_status = 2


class CohortError(InputError):
    """The input as a whole is refused; nothing was written."""

    def __init__(self, code: str, message: str):
        self.code = code
        super().__init__(f"{code}: {message} {REASONS[code].remedy}")


class RecordError(InputError):
    """A record that breaks its form; `problems` holds all of them at once."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ItemError(InputError):
    """One item is refused; the reader that called turns it into a Problem of its record."""

    def __init__(self, code: str, message: str, *, where: str = ""):
        self.problem = Problem(code, where, message)
        super().__init__(str(self.problem))

    @property
    def code(self) -> str:
        return self.problem.code

    def at(self, where: str) -> Problem:
        """The problem, placed at `where`."""
        return Problem(self.problem.code, where, self.problem.message)


class ModelError(InputError):
    """A model folder is damaged, was edited, or needs a newer version."""

    exit_status = 5
