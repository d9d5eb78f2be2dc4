"""A page of thumbnails in sections, which can be filtered and sorted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from realesrgan_paddle.utils.report.pages import escaped, filled, whole_page


@dataclass(frozen=True)
class GalleryImage:
    """One image of the page."""

    file: str
    """Path relative to the page."""
    label: str
    note: str
    """What became of it, besides its group."""
    group: str
    """By which images are filtered, such as "blurred"."""
    is_kept: bool
    order: Mapping[str, float]
    """What images can be sorted by, the least first; all of a page have the same names."""
    boxes: Sequence[tuple[float, float, float, float]] = ()
    """Red frames: left, top, width, height as shares of the image."""


@dataclass(frozen=True)
class About:
    """What is said of the images of a section."""

    verdict: str = ""
    """In a few words."""
    remarks: Sequence[str] = ()
    """Sentences that go with it."""
    kind: Literal["good", "doubtful", "bad", "plain"] = "plain"
    details: Sequence[tuple[str, str]] = ()
    """Labels and values, which unfold by a click."""


@dataclass(frozen=True)
class Section:
    """Images under one headline."""

    title: str
    images: Sequence[GalleryImage]
    about: About = field(default_factory=About)


def gallery(sections: Sequence[Section], headline: str, lead: str, remark: str) -> str:
    """Return the page.

    Args:
        sections: what to show; at least one image.
        headline: the page's title.
        lead: the sentence that matters most.
        remark: a sentence below it.
    """
    images = [image for section in sections for image in section.images]
    counts = Counter(image.group for image in images)
    kept = {image.group for image in images if image.is_kept}
    groups = sorted(counts, key=lambda group: (group not in kept, -counts[group]))
    chips = [
        f'<button aria-pressed="false" value="{escaped(group)}">'
        f"{escaped(group)} ({counts[group]})</button>"
        for group in groups
    ]
    clips, sorts = [], []
    for number, section in enumerate(sections):
        title = escaped(section.title)
        clips.append(f'<option value="s{number}">{title}</option>')
    for number, name in enumerate(images[0].order):
        sorts.append(f'<option value="by{number}">{escaped(name)}</option>')

    body = filled(
        "gallery.html",
        lead=escaped(lead),
        remark=escaped(remark),
        chips="\n".join(chips),
        clips="".join(clips),
        sorts="".join(sorts),
        sections="".join(
            _section(number, section) for number, section in enumerate(sections)
        ),
    )
    return whole_page(headline, body, "gallery.css", "gallery.js")


def _section(number: int, section: Section) -> str:
    about = section.about
    remarks = " ".join(map(escaped, about.remarks))
    text = f"<b>{escaped(about.verdict)}</b> {remarks}" if about.verdict else remarks
    details = ""
    if about.details:
        rows = "".join(
            f"<tr><th>{escaped(label)}</th><td>{escaped(value)}</td></tr>\n"
            for label, value in about.details
        )
        details = (
            "<details><summary>what was measured</summary>"
            f'<table class="figures">{rows}</table></details>\n'
        )
    images = "".join(map(_thumbnail, section.images))
    return (
        f'<section id="s{number}" class="{about.kind}">\n<h2>{escaped(section.title)}</h2>\n'
        f'<p class="about">{text}</p>\n<div class="images">{images}</div>\n{details}</section>\n'
    )


def _thumbnail(image: GalleryImage) -> str:
    frames = ""
    for x, y, width, height in image.boxes:
        style = f"left:{x:.2%};top:{y:.2%};width:{width:.2%};height:{height:.2%}"
        frames += f'<i style="{style}"></i>'
    group, label, source = escaped(image.group), escaped(image.label), quote(image.file)
    order = "".join(
        f' data-by{number}="{value:g}"'
        for number, value in enumerate(image.order.values())
    )
    kind = "kept" if image.is_kept else "dropped"
    picture = f'<img loading="lazy" alt="{label}" src="{source}">'
    return (
        f'<figure class="{kind}" data-group="{group}"{order}><div>{picture}{frames}'
        f'<em class="{kind}">{group}</em></div>'
        f"<figcaption>{label}<br>{escaped(image.note)}</figcaption></figure>\n"
    )
