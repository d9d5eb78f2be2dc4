"""An HTML page of many thumbnails in sections; the images are files beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from realesrgan_paddle.utils.report.document import escaped, page_head


@dataclass(frozen=True)
class GalleryImage:
    """One image of the page."""

    file: str
    """Path relative to the page."""
    label: str
    note: str
    boxes: Sequence[tuple[float, float, float, float]] = ()
    """Red frames: left, top, width, height as shares of the image."""


@dataclass(frozen=True)
class Section:
    """Images under one headline."""

    title: str
    images: Sequence[GalleryImage]


def gallery(
    sections: Sequence[Section],
    headline: str,
    remark: str,
    lead: Iterable[str] = (),
) -> Iterable[str]:
    """Yield the pieces of the page: links to the sections, then each with its images.

    Args:
        sections: what to show.
        headline: the page's title.
        remark: a sentence below it.
        lead: HTML that is shown before the sections.
    """
    yield page_head(headline, "gallery.css")
    yield f"<p>{escaped(remark)}</p>\n<nav>"
    titles = [f"{escaped(part.title)} ({len(part.images)})" for part in sections]
    for number, title in enumerate(titles):
        yield f'<a href="#s{number}">{title}</a>'
    yield "</nav>\n"
    yield from lead

    for number, section in enumerate(sections):
        yield f'<h2 id="s{number}">{titles[number]}</h2>\n<section>\n'
        yield from map(_figure, section.images)
        yield "</section>\n"
    yield "</body>\n</html>\n"


def _figure(image: GalleryImage) -> str:
    frames = ""
    for x, y, width, height in image.boxes:
        style = f"left:{x:.2%};top:{y:.2%};width:{width:.2%};height:{height:.2%}"
        frames += f'<i style="{style}"></i>'
    label = escaped(image.label)
    source = quote(image.file)
    return (
        f'<figure><div><img loading="lazy" alt="{label}" src="{source}">{frames}</div>'
        f"<figcaption>{label}<br><span>{escaped(image.note)}</span></figcaption>"
        "</figure>\n"
    )
