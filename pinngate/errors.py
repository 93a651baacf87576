"""The exception tree, and how a place in a text is shown to a person.

Every error a user can cause derives from `InputError` and prints as one message: the place
(``file:line:column``), what was found, the line itself with a caret, what was expected and, where a
name is nearly right, the nearest right one. The command line turns `InputError` into exit status 2
and `SolveError` into exit status 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

UNPRINTABLE = "\ufffd"
MESSAGE_WIDTH = 2000  # of a line of a message, which may quote what a file holds
LINE_WIDTH = 100  # of a source line as it is shown


@dataclass(frozen=True)
class Span:
    """A stretch of one line of a text: `line` and `column` count from 1, `length` in characters."""

    file: str
    line: int
    column: int
    length: int = 1
    text: str = ""

    def part(self, offset: int, length: int) -> Span:
        """Return the stretch that starts `offset` characters into this one."""
        return replace(self, column=self.column + offset, length=max(1, length))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """Return the source line and, under it, the caret."""
        body = self.text.rstrip("\n").replace("\t", " ")
        shift = len(body) - len(body.lstrip())
        if self.column - shift > LINE_WIDTH:
            shift = self.column - LINE_WIDTH // 2
        shown = body[shift : shift + LINE_WIDTH].rstrip()
        start = max(0, self.column - 1 - shift)
        caret = " " * start + "^" * max(1, min(self.length, LINE_WIDTH - start))
        return f"    {shown}\n    {caret}"


def printable(text: str) -> str:
    """Return a text that no terminal takes for a command: what cannot be printed is U+FFFD.

    Line ends, tabs and spaces of all kinds stay; a line of more than `MESSAGE_WIDTH` characters
    loses its middle.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or _is_space(c) else UNPRINTABLE for c in text)
    if len(text) <= MESSAGE_WIDTH:
        return text
    return "\n".join(
        line
        if len(line) <= MESSAGE_WIDTH
        else f"{line[: MESSAGE_WIDTH // 2]} … {line[-MESSAGE_WIDTH // 4 :]}"
        for line in text.split("\n")
    )


def _is_space(letter: str) -> bool:
    return letter in "\n\t" or (letter.isspace() and letter > "\x85")


class PinngateError(Exception):
    """The root of every error raised on purpose by this package."""


class InputError(PinngateError):
    """The input is wrong: a problem file, a data file, an argument. Exit status 2.

    Args:
        what: one sentence, what was found and why it is wrong.
        span: where, if the place is known.
        expected: what would have been right.
        hint: what to do about it.
    """

    def __init__(
        self, what: str, *, span: Span | None = None, expected: str = "", hint: str = ""
    ) -> None:
        self.what = what
        self.span = span
        self.expected = expected
        self.hint = hint
        super().__init__(what)

    def at(self, span: Span) -> InputError:
        """Return the same error with a place, if it has none yet."""
        if self.span is not None:
            return self
        return type(self)(self.what, span=span, expected=self.expected, hint=self.hint)

    def __str__(self) -> str:
        lines = [f"{self.span}: {self.what}" if self.span else self.what]
        if self.span is not None and self.span.text:
            lines.append(self.span.excerpt())
        lines += [f"  {line}" for line in (self.expected, self.hint) if line]
        return printable("\n".join(lines))


class ExpressionError(InputError):
    """A mathematical expression does not parse or names something that does not exist.

    `offset` and `length` locate the fault inside the expression's own text; whoever knows where
    that text stands in a file turns them into a span with `located`.
    """

    def __init__(
        self,
        what: str,
        *,
        span: Span | None = None,
        expected: str = "",
        hint: str = "",
        offset: int = 0,
        length: int = 1,
    ) -> None:
        super().__init__(what, span=span, expected=expected, hint=hint)
        self.offset = offset
        self.length = length

    def located(self, base: Span) -> InputError:
        """Return this error as an `InputError` at its place inside `base`."""
        return InputError(
            self.what,
            span=base.part(self.offset, self.length),
            expected=self.expected,
            hint=self.hint,
        )


class DataError(InputError):
    """A data file is missing, empty, lacks a column or holds a value that cannot be used.

    `file` is that file, so that whoever knows where a problem names it can point there with `at`.
    """

    def __init__(
        self,
        what: str,
        *,
        span: Span | None = None,
        expected: str = "",
        hint: str = "",
        file: Path | None = None,
    ) -> None:
        super().__init__(what, span=span, expected=expected, hint=hint)
        self.file = file


class TruthError(InputError):
    """The truth that a problem states cannot be computed."""


class SolveError(PinngateError):
    """The computation failed or did not converge; the message says why. Exit status 1."""


class StorageError(SolveError):
    """A file could not be written; what was there before is whole. Exit status 1."""


class Interrupted(PinngateError):  # noqa: N818 - an event, not a fault
    """The user or the system stopped the run; the checkpoint is kept.

    `status` is the exit status: 130 after Ctrl-C, 143 after SIGTERM or SIGHUP.
    """

    def __init__(self, what: str, *, status: int = 130) -> None:
        super().__init__(what)
        self.status = status


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the closest known name, or an empty string."""
    match = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{match[0]}'?" if match else ""
