"""A thin way to write SVG: elements are made below their parents, numbers are kept short."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

Element = Xml.Element


def drawing(width: float, height: float, title: str) -> Element:
    """Return an empty drawing of a size in pixels that scales with the page."""
    return Xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_short(width)} {_short(height)}",
            "width": _short(width),
            "height": _short(height),
            "role": "img",
            "aria-label": title,
        },
    )


def add(parent: Element, tag: str, text: str | None = None, **attributes: object) -> Element:
    """Make an element below `parent`.

    `stroke_width=2` gives `stroke-width="2"`, `class_` gives `class`; None is left out.
    """
    given = {
        name.rstrip("_").replace("_", "-"): _short(value)
        for name, value in attributes.items()
        if value is not None
    }
    element = Xml.SubElement(parent, tag, given)
    element.text = text
    return element


def title(element: Element, text: str) -> None:
    """Give an element the text that a browser shows when the pointer is over it."""
    add(element, "title", text)


def write(root: Element) -> str:
    """Return the document's text."""
    return Xml.tostring(root, encoding="unicode")


def text_width(text: str, size: float) -> float:
    """Estimate the width of text in a proportional sans-serif face, in pixels."""
    narrow = sum(character in "ijlt.,:;|'()[]/- f1I" for character in text)
    wide = sum(character in "mwMW@%" for character in text)
    return size * (0.57 * (len(text) - narrow - wide) + 0.35 * narrow + 0.86 * wide)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
