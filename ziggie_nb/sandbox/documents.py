"""XML documents as AWS's REST APIs exchange them: read without their namespace, written with it."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, ParseError, SubElement

__all__ = ["Element", "ParseError", "element", "parse", "render"]


def parse(document: bytes) -> Element:
    """Return a document's root with plain names.

    Raises:
        ParseError: it is not XML.
    """
    root = ET.fromstring(document)  # noqa: S314 - from a caller on this machine, dummy contents
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def render(root: Element, namespace: str) -> bytes:
    """Return a document's bytes, all of it in one namespace, or in none."""
    if namespace:
        root.set("xmlns", namespace)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def element(tag: str, *children: Element, **texts: str) -> Element:
    """Make an element of child elements after simple ones: `element("Tag", Key="a", Value="b")`."""
    made = Element(tag)
    for name, text in texts.items():
        SubElement(made, name).text = text
    made.extend(children)
    return made
