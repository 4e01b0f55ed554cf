"""Settings files as a tree of text, and where every value stands.

YAML's own guessing is left out: a plain scalar is text, except exactly ``true`` and ``false``, and
``null``, ``~`` or nothing for "not set". So ``NO`` is Norway and ``0123`` keeps its zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from forwarder.problems import Problem

Value: TypeAlias = "str | bool | list[Value] | dict[str, Value] | None"
Tree: TypeAlias = "dict[str, Value]"
At: TypeAlias = "tuple[str | int, ...]"

_TEXT: Final = "tag:yaml.org,2002:str"
_MAX_FILE: Final = 16 << 20
_MOST_NODES: Final = 300_000
"""Aliases multiply: a few hundred bytes can stand for billions."""
_ONE: Final = "keep one of them"


@dataclass(slots=True)
class Document:
    """All settings files together. ``places``: file and line of every key and list item."""

    root: str
    tree: Tree = field(default_factory=dict)
    places: dict[At, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, at: At) -> str:
        """``settings.yaml:12 accounts.acme.state``; of what is missing, the line of its parent."""
        return f"{self.line(at)} {dotted(at)}".strip()

    def line(self, at: At) -> str:
        """File and line of ``at``, or of the nearest thing around it that is written down."""
        for end in range(len(at), 0, -1):
            if at[:end] in self.places:
                return self.places[at[:end]]
        return self.root


def dotted(at: At) -> str:
    return ".".join(str(part) for part in at)


def scalar(text: str) -> str | bool | None:
    """What a plain scalar means."""
    match text:
        case "true":
            return True
        case "false":
            return False
        case "" | "null" | "~":
            return None
        case _:
            return text


def read(path: Path) -> Document:
    """The file, or every ``*.yaml`` of the directory, merged. Never raises: see ``problems``."""
    document = Document(root=str(path))
    for file in _files(path, document.problems):
        part = _read_file(file)
        document.problems += part.problems
        _merge(document, part)
    return document


def _files(path: Path, problems: list[Problem]) -> list[Path]:
    if not path.exists():
        problems.append(Problem(str(path), "no such file or directory", "check --config"))
        return []
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.glob("*.yaml") if not file.name.startswith("."))
    if not files:
        other = sorted(file.name for file in path.glob("*.yml"))
        fix = f"rename {other[0]} to end in .yaml" if other else "put the settings into one there"
        problems.append(Problem(str(path), "the directory holds no *.yaml file", fix))
    return files


def _read_file(file: Path) -> Document:
    part = Document(root=str(file))
    try:
        if file.stat().st_size > _MAX_FILE:
            part.problems.append(Problem(str(file), "is larger than 16 MiB, so no settings file"))
            return part
        text = file.read_bytes().decode("utf-8-sig")
        _Walk(part).top(yaml.compose(text, Loader=yaml.SafeLoader))
    except OSError as error:
        part.problems.append(Problem(str(file), f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        fix = "save it as plain UTF-8 YAML"
        part.problems.append(Problem(str(file), "is not UTF-8 text", fix))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        rule = f"holds the character U+{ord(text[error.position]):04X}"
        part.problems.append(Problem(f"{file}:{line}", rule, "remove it"))
    except yaml.MarkedYAMLError as error:
        part.problems.append(_syntax(file, error))
    except RecursionError:
        part.problems.append(Problem(str(file), "is nested far too deeply for settings"))
    return part


def _syntax(file: Path, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = f":{mark.line + 1}" if mark else ""
    said = error.problem or error.context or "unreadable"
    fix = "check the indentation and quotes there"
    if "'\\t'" in said:
        fix = "indent with spaces, not tabs"
    elif "single document" in (error.context or ""):
        fix = "keep one document a file, without further --- lines"
    return Problem(f"{file}{line}", f"is not valid YAML: {said}", fix)


class _Walk:
    """Turns YAML nodes into the tree, noting places and problems in the document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[yaml.Node] = []
        self._nodes = 0

    def top(self, node: yaml.Node | None) -> None:
        if node is None or (isinstance(node, yaml.ScalarNode) and _text(node) is None):
            return
        value = self._value(node, ())
        if isinstance(value, dict):
            self._document.tree = value
            return
        self._problem(node, (), "must be a block of `key: value` lines", "start with `kafka:`")

    def _value(self, node: yaml.Node, at: At) -> Value:
        self._nodes += 1
        if self._nodes >= _MOST_NODES:
            if self._nodes == _MOST_NODES:
                self._problem(node, at, "its aliases make far too much of it", "write it out")
            return None
        if any(node is above for above in self._open):
            self._problem(node, at, "an anchor cannot hold an alias to itself", "write it out")
            return None
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._problem(node, at, f"the tag {node.tag} means nothing here", "remove the tag")
        self._open.append(node)
        try:
            match node:
                case yaml.MappingNode():
                    return self._mapping(node, at)
                case yaml.SequenceNode():
                    return self._sequence(node, at)
                case _:
                    return _text(node)
        finally:
            self._open.pop()

    def _sequence(self, node: yaml.SequenceNode, at: At) -> list[Value]:
        values: list[Value] = []
        for index, item in enumerate(node.value):
            self._document.places[(*at, index)] = self._line(item)
            values.append(self._value(item, (*at, index)))
        return values

    def _mapping(self, node: yaml.MappingNode, at: At) -> Tree:
        found: Tree = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, at)
            if key is None:
                continue
            here = (*at, key)
            if key in found:
                first = self._document.places[here]
                self._problem(key_node, here, f"the same key twice, first at {first}", _ONE)
                continue
            self._document.places[here] = self._line(key_node)
            found[key] = self._value(value_node, here)
        return found

    def _key(self, node: yaml.Node, at: At) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._problem(node, at, "a key must be plain text", "quote it")
            return None
        if node.value == "<<" and node.style is None:
            fix = "defaults for all accounts of a destination go under destinations.<name>"
            self._problem(node, (*at, "<<"), "merge keys are not supported", fix)
            return None
        return str(node.value)

    def _line(self, node: yaml.Node) -> str:
        return f"{self._document.root}:{node.start_mark.line + 1}"

    def _problem(self, node: yaml.Node, at: At, rule: str, fix: str) -> None:
        place = f"{self._line(node)} {dotted(at)}".strip()
        self._document.problems.append(Problem(place, rule, fix))


def _text(node: yaml.Node) -> str | bool | None:
    text = str(node.value)
    explicit = isinstance(node, yaml.ScalarNode) and node.style is not None
    return text if explicit or node.tag == _TEXT else scalar(text)


def _merge(document: Document, part: Document) -> None:
    """Blocks of one name in several files become one; what they hold must not meet."""
    for key, value in part.tree.items():
        mine = document.tree.get(key)
        if key not in document.tree or mine is None:
            document.tree[key] = value
        elif isinstance(mine, dict) and isinstance(value, dict):
            for name in mine.keys() & value.keys():
                document.problems.append(_twice(document, part, (key, name)))
            document.tree[key] = mine | {n: v for n, v in value.items() if n not in mine}
        elif value is not None:
            document.problems.append(_twice(document, part, (key,)))
    document.places = part.places | document.places


def _twice(document: Document, part: Document, at: At) -> Problem:
    return Problem(part.place(at), f"the same key twice, first at {document.line(at)}", _ONE)
