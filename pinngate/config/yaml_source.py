"""Strict YAML to a plain tree, with the place of every key and every value.

The first stage of reading a problem file. PyYAML scans and composes; this module resolves scalars
as the core schema of YAML 1.2 does (``1e-3`` is a number; ``yes``, ``no``, ``on``, ``off`` and
dates are text), refuses duplicate keys and tags, bounds what aliases may expand to, and remembers
where everything stood so that later stages can point at it. Source: https://yaml.org/spec/1.2.2,
section 10.3.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pinngate.errors import InputError, Span
from pinngate.statement.checks.source import Place, Source

MAX_VALUES = 20_000  # a problem file has a few hundred; nested aliases grow exponentially
MAX_BRACKETS = 50

_NULL, _BOOL, _INT, _FLOAT = (
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float")
)

NULL = re.compile(r"^(?:null|Null|NULL|~|)\Z")
BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)\Z")
INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]{1,15}|0x[0-9a-fA-F]{1,15})\Z")
FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
CORE_SCHEMA = [(_NULL, NULL), (_BOOL, BOOL), (_INT, INT), (_FLOAT, FLOAT)]

_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # what PyYAML counts as one


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML up to the node graph: there is no constructor, so nothing can be executed."""

    yaml_implicit_resolvers = {None: CORE_SCHEMA}  # noqa: RUF012 - declared so by PyYAML

    def __init__(self, document: Document) -> None:
        Reader.__init__(self, document.text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self.document = document

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= MAX_BRACKETS:  # the scanner's time grows with its square
            raise RecursionError
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(
                f"the tag {tag!r} is not allowed",
                span=self.document.span(event.start_mark.index, event.start_mark.index + 1),
                expected="plain values: text, numbers, true, false, null, lists and mappings",
            )
        return super().compose_node(parent, index)


@dataclass(frozen=True)
class Document:
    """A text, the name it goes by, and what to show of it (the same text unless stated)."""

    file: str
    text: str
    shown: str = ""

    @cached_property
    def line_starts(self) -> list[int]:
        """Index of the first character of each line."""
        return [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]

    @cached_property
    def lines(self) -> list[str]:
        """The text, line by line, as shown."""
        return _LINE_BREAK.split(self.shown or self.text)

    def span(self, start: int, end: int) -> Span:
        """Return the stretch from index `start` to `end`, cut at the end of its first line."""
        start = max(0, min(start, len(self.text)))
        line = bisect_right(self.line_starts, start) - 1
        column = start - self.line_starts[line]
        text = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in self.lines[line])
        length = max(1, min(end - start, len(text.rstrip()) - column))
        return Span(self.file, line + 1, column + 1, length, text)


@dataclass(frozen=True)
class Scalar:
    """One scalar as it stands in its document."""

    document: Document
    node: ScalarNode

    def span(self, offset: int, length: int) -> Span:
        """Return the place of ``value[offset:offset + length]``.

        Folding changes white space only, so the k-th printed character of the value is the k-th of
        the source. Where escapes break that, the answer is the whole scalar.
        """
        document, (body, end) = self.document, self._body()
        printed = [i for i in range(body, end) if not document.text[i].isspace()]
        wanted = [i for i, letter in enumerate(self.node.value) if not letter.isspace()]
        raw = [document.text[i] for i in printed]
        if raw != [self.node.value[i] for i in wanted] or not printed:
            return document.span(self.node.start_mark.index, self.node.end_mark.index)
        first, last = bisect_left(wanted, offset), bisect_left(wanted, offset + length)
        if first < last:
            return document.span(printed[first], printed[last - 1] + 1)
        at = printed[min(first, len(printed) - 1)]
        return document.span(at, at + 1)

    def _body(self) -> tuple[int, int]:
        """Return where the text of the scalar starts and ends, without quotes or block header."""
        start, end = self.node.start_mark.index, self.node.end_mark.index
        if self.node.style in ("'", '"'):
            return start + 1, end - 1
        if self.node.style in ("|", ">"):
            header = _LINE_BREAK.search(self.document.text, start)
            return (header.end() if header else start), end
        return start, end


def read(text: str, file: str = "<text>", *, shown: str = "") -> Source:
    """Read one YAML document; an empty one is None.

    Args:
        text: the document.
        file: what messages call it.
        shown: what messages quote, character for character as long as `text`.

    Raises:
        InputError: the text is not YAML, or holds what a problem file may not.
    """
    document = Document(file, text.removeprefix("\ufeff"), shown)
    try:
        node = _Loader(document).get_single_node()
        source = Source(None, values={(): document.span(0, 1)})
        if node is not None:
            source.tree = _Tree(document, source).build(node, ())
    except yaml.MarkedYAMLError as error:
        raise _explain(error, document) from None
    except yaml.reader.ReaderError as error:
        raise InputError(
            f"the character U+{int(error.character):04X} is not allowed in YAML",
            span=document.span(error.position, error.position + 1),
            expected="text in UTF-8",
        ) from None
    except RecursionError:
        raise InputError("the YAML is nested too deeply", span=document.span(0, 1)) from None
    except (
        ValueError,
        OverflowError,
    ):  # PyYAML passes escapes such as "\UFFFFFFFF" to chr unchecked
        raise InputError(
            "the YAML holds an escape that is no character", span=document.span(0, 1)
        ) from None
    return source


class _Tree:
    """Turns nodes into plain values and notes their places in a source."""

    def __init__(self, document: Document, source: Source) -> None:
        self.document = document
        self.source = source
        self.open: list[Node] = []
        self.count = 0

    def span(self, node: Node) -> Span:
        return self.document.span(node.start_mark.index, node.end_mark.index)

    def build(self, node: Node, place: Place) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or any(node is above for above in self.open):
            raise InputError(
                "an alias refers to itself or the aliases expand to too much",
                span=self.span(node),
                expected="values written out",
            )
        self.source.values[place] = self.span(node)
        if isinstance(node, ScalarNode):
            self.refuse_half_characters(node)
            self.source.scalars[place] = Scalar(self.document, node)
            return _value(node)
        self.open.append(node)
        try:
            if isinstance(node, SequenceNode):
                return [self.build(item, (*place, i)) for i, item in enumerate(node.value)]
            return self.mapping(node, place)
        finally:
            self.open.pop()

    def refuse_half_characters(self, node: ScalarNode) -> None:
        """Refuse what an escape can write and no text in UTF-8 can hold."""
        wrong = next((c for c in node.value if "\ud800" <= c <= "\udfff"), None)
        if wrong is not None:
            raise InputError(
                f"the escape of U+{ord(wrong):04X} is half a character",
                span=self.span(node),
                expected="text in UTF-8",
            )

    def mapping(self, node: Node, place: Place) -> dict[str, Any]:
        assert isinstance(node, MappingNode)
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if isinstance(key_node, ScalarNode):
                self.refuse_half_characters(key_node)
            key = _value(key_node) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                raise InputError(
                    "a key is not text",
                    span=self.span(key_node),
                    expected="a name, then ': ' and its value",
                )
            inner = (*place, key)
            if key in tree:
                raise InputError(
                    f"duplicate key '{key}'",
                    span=self.span(key_node),
                    expected=f"one '{key}' only; the first is in line "
                    f"{self.source.keys[inner].line}",
                )
            self.source.keys[inner] = self.span(key_node)
            tree[key] = self.build(value_node, inner)
        return tree


def _value(node: ScalarNode) -> Any:
    text = node.value
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return text.lower() == "true"
    if node.tag == _INT:
        if text[1:2] in ("o", "x"):
            return int(text, 0)
        number = (
            int(text) if len(text) < 30 else 2**63
        )  # int() itself limits how long a text it takes
        return number if -(2**63) <= number < 2**63 else float(text)
    if node.tag == _FLOAT:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


_FRIENDLY = [
    (
        r"character '\\t'",
        "a tab, which YAML does not allow here",
        "spaces; a formula that must hold a tab can stand in quotes",
    ),
    (
        "mapping values are not allowed",
        "': ' is not allowed here",
        "one 'key: value' for each line; put text that holds ': ' in quotes",
    ),
    (
        "undefined alias",
        "a value that starts with '*' is an alias in YAML, and this one has no anchor",
        "put a formula that starts with '*' in quotes",
    ),
    (
        "expected ',' or",
        "brackets that are not closed, or a comma that is missing",
        "items between commas and a closing bracket; put text that holds one of ,[]{} in quotes",
    ),
    (
        "could not find expected ':'",
        "a line that is no 'key: value'",
        "a name, then ': ' and its value",
    ),
    (
        "unexpected end of stream",
        "a quote that is not closed",
        "a second quote at the end of the text",
    ),
    (
        "cannot start any token",
        "a character that no plain text may start with",
        "put the text in quotes",
    ),
    (
        "expected <block end>",
        "a line that does not fit the lines above it",
        "the same indentation for all items of a list and all keys of a mapping",
    ),
    (
        "expected a single document",
        "a second YAML document",
        "one document in the file, without a further '---'",
    ),
]


def _explain(error: yaml.MarkedYAMLError, document: Document) -> InputError:
    problem = error.problem or error.context or "it is not YAML"
    if error.context and "single document" in error.context:
        problem = error.context
    mark = error.problem_mark or error.context_mark
    span = document.span(mark.index, mark.index + 1) if mark else document.span(0, 1)
    what, expected = _first(
        (
            (f"the YAML does not parse: {what}", expected)
            for pattern, what, expected in _FRIENDLY
            if re.search(pattern, problem)
        ),
        (f"the YAML does not parse: {problem}", ""),
    )
    return InputError(what, span=span, expected=expected)


def _first(found: Iterable[tuple[str, str]], otherwise: tuple[str, str]) -> tuple[str, str]:
    return next(iter(found), otherwise)
