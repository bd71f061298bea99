"""Figures as parts of a page: their SVG with the page's fonts and colours."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from adkd.analysis.figures.palette import VARIABLES
from adkd.base.checked import checked_bytes, reading

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
ElementTree.register_namespace("", SVG.strip("{}"))


@dataclass(frozen=True)
class Inlined:
    """One figure."""

    caption: str
    svg: Markup


def inlined(path: Path, name: str, command: str) -> Inlined:
    """The SVG of a figure that ``adkd.analysis.figures`` saved, as an element of a page.

    Colours become the page's CSS variables and follow its theme, text takes the page's font, the size follows the
    room there is. The label for screen readers holds the words of all marks.

    Args:
        name: what the figure's ids begin with; no other figure of the page may have it.
        command: what draws the figure.

    Raises:
        InputError: the file is missing or damaged.
    """
    content = checked_bytes(path, command)
    with reading(path, command):
        root = ElementTree.fromstring(content)
    caption, *words = [title.text or "" for title in root.iter(f"{SVG}title")]
    for child in root.findall("*"):
        if child.tag != f"{SVG}g" and child.find(f"{SVG}clipPath") is None:  # metadata, and a style for all elements
            root.remove(child)
    for element in root.iter():
        element.attrib = {key.removeprefix(XLINK): _rewritten(key, value, name) for key, value in element.items()}
        element.text, element.tail = (text and text.strip() for text in (element.text, element.tail))
    width = float(root.get("width", "").removesuffix("pt"))
    root.attrib = {
        "viewBox": root.get("viewBox", ""),
        "role": "img",
        "aria-label": f"{caption}. {'; '.join(words)}".rstrip(". ") + ".",
        "style": f"--points: {width:.0f}",
    }
    return Inlined(caption, Markup(ElementTree.tostring(root, encoding="unicode")))


def _rewritten(key: str, value: str, name: str) -> str:
    """One attribute, with ids that are unique on the page."""
    if key == "id":
        return f"{name}-{value}"
    if key == f"{XLINK}href":
        return value.replace("#", f"#{name}-")
    if key == "style":
        return _styled(value)
    if key == "d":
        return " ".join(value.split())
    return value.replace("url(#", f"url(#{name}-")


def _styled(style: str) -> str:
    """A style without a font, its colours replaced by CSS variables."""
    without_font = re.sub(r"font-family: [^;]*;? ?", "", style)
    return re.sub("#[0-9a-f]{6}", lambda match: _variable(match.group()), without_font)


def _variable(color: str) -> str:
    return f"var(--{VARIABLES[color]})" if color in VARIABLES else color
