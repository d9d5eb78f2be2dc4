"""The head of the HTML pages, and the style and script files they include."""

from html import escape
from importlib import resources

from realesrgan_paddle.utils.errors import printable


def read_asset(name: str) -> str:
    """Return the text of a style or script file of this package."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def escaped(text: str) -> str:
    """Return `text` as HTML that shows it, with escapes for what is not printable."""
    return escape(printable(text))


def page_head(headline: str, stylesheet: str) -> str:
    """Return a page up to its headline, with a style file of this package inside."""
    title = escaped(headline)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{read_asset(stylesheet)}</style>
</head>
<body>
<h1>{title}</h1>
"""
