"""YAML documents that remember where each key stands, for errors that name file and line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]


class DocumentError(Exception):
    """A YAML file that cannot be read; the message is one line with file and line."""


@dataclass(frozen=True)
class Duplicate:
    """A key that stands twice in one mapping: YAML would silently keep the last one."""

    path: Path
    line: int
    first_line: int


@dataclass
class Document:
    """One YAML document: its plain value, and the line of every key and item."""

    name: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    duplicates: list[Duplicate] = field(default_factory=list[Duplicate])

    def line(self, *path: str | int) -> int:
        """Line, counted from 1, of the key at `path`, or of the nearest key above it."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 1

    def where(self, *path: str | int) -> str:
        """`file:line` of the key at `path`."""
        return f"{self.name}:{self.line(*path)}"

    @property
    def mapping(self) -> dict[str, Any]:
        """The document as a mapping with text keys.

        Raises:
            DocumentError: it is a list or a scalar.
        """
        if self.value is None:
            return {}
        value: object = self.value
        if not isinstance(value, dict):
            raise DocumentError(f"{self.where()}: expected a mapping of keys to values")
        return {str(k): v for k, v in cast("dict[Any, Any]", value).items()}

    def below(self, key: str) -> Document:
        """The value of a top-level key as a document of its own, with this one's lines."""
        lines = {path[1:]: line for path, line in self.lines.items() if path[:1] == (key,)}
        return Document(self.name, self.mapping.get(key), lines)


class _Loader(yaml.SafeLoader):
    """As Juju reads YAML: what looks like a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str, name: str) -> list[Document]:
    """Read every document of `text`; `name` is the file as errors shall show it.

    Raises:
        DocumentError: the text is not YAML.
    """
    loader = _Loader(text)
    try:
        documents: list[Document] = []
        while loader.check_node():
            if (node := loader.get_node()) is None:
                continue
            document = Document(name)
            _locate(node, (), document)
            document.value = loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType]
            documents.append(document)
        return documents
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise DocumentError(f"{name}:{line}: not valid YAML: {e.problem}") from e
    except yaml.YAMLError as e:
        raise DocumentError(f"{name}: not valid YAML: {e}") from e
    finally:
        loader.dispose()  # pyright: ignore[reportUnknownMemberType]


def parse_one(text: str, name: str) -> Document:
    """Read a text with at most one document; an empty text is an empty document.

    Raises:
        DocumentError: the text is not YAML, or holds several documents.
    """
    documents = parse(text, name)
    if len(documents) > 1:
        raise DocumentError(f"{documents[1].where()}: expected a single YAML document")
    return documents[0] if documents else Document(name)


def _locate(node: Node, path: Path, document: Document) -> None:
    """Record the lines of all that stands in `node`, and the keys that stand twice."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, SequenceNode):
        for index, item in enumerate(cast("list[Node]", node.value)):
            _locate(item, (*path, index), document)
    elif isinstance(node, MappingNode):
        for key, value in cast("list[tuple[Node, Node]]", node.value):
            _locate_key(key, value, path, document)


def _locate_key(key: Node, value: Node, path: Path, document: Document) -> None:
    if not isinstance(key, ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
        return
    key.tag = "tag:yaml.org,2002:str"  # as in Juju, a key is text even where it reads `on` or 0
    here = (*path, str(key.value))
    line = key.start_mark.line + 1
    if here in document.lines:
        document.duplicates.append(Duplicate(here, line, document.lines[here]))
    document.lines[here] = line
    _locate(value, here, document)
