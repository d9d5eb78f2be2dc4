"""Many small pictures on one HTML page, in sections; the pictures are files beside the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

STYLE = """
body { margin: 0 auto; max-width: 1800px; padding: 0 24px 48px; background: #fff; color: #1c1c1c;
       font: 16px/1.5 system-ui, sans-serif; }
nav { position: sticky; top: 0; z-index: 2; padding: 8px 0; background: #fffe; border-bottom: 1px solid #ddd; }
nav a { margin-right: 16px; }
section { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 16px 12px; }
h2 { font-size: 18px; margin: 40px 0 8px; scroll-margin-top: 48px; }
figure { margin: 0; overflow-wrap: anywhere; font-size: 13px; line-height: 1.35; }
figure div { position: relative; width: fit-content; }
figure img { display: block; max-width: 100%; }
figure i { position: absolute; outline: 2px solid #e02; }
figcaption span { color: #595959; }
"""


@dataclass(frozen=True)
class GalleryImage:
    """One picture of the page."""

    file: str
    """Its path, relative to the page."""
    label: str
    note: str
    boxes: Sequence[tuple[float, float, float, float]] = ()
    """What to frame in red: left, top, width, height as shares of the picture."""


@dataclass(frozen=True)
class Section:
    """Pictures under one headline."""

    title: str
    pictures: Sequence[GalleryImage]


def gallery(sections: Sequence[Section], headline: str, remark: str) -> Iterable[str]:
    """Yield the pieces of the page: links to the sections, then each with its pictures.

    Args:
        sections: what to show.
        headline: the page's title.
        remark: a sentence below it.
    """
    yield (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(headline)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(headline)}</h1>\n<p>{escape(remark)}</p>\n<nav>"
    )
    for number, section in enumerate(sections):
        yield f'<a href="#s{number}">{escape(section.title)} ({len(section.pictures)})</a>'
    yield "</nav>\n"
    for number, section in enumerate(sections):
        yield f'<h2 id="s{number}">{escape(section.title)} ({len(section.pictures)})</h2>\n<section>\n'
        yield from map(_figure, section.pictures)
        yield "</section>\n"
    yield "</body>\n</html>\n"


def _figure(picture: GalleryImage) -> str:
    boxes = "".join(
        f'<i style="left:{x:.2%};top:{y:.2%};width:{width:.2%};height:{height:.2%}"></i>'
        for x, y, width, height in picture.boxes
    )
    label = escape(picture.label)
    return (
        f'<figure><div><img loading="lazy" alt="{label}" src="{quote(picture.file)}">{boxes}</div>'
        f"<figcaption>{label}<br><span>{escape(picture.note)}</span></figcaption></figure>\n"
    )
