"""The page of compared images in a browser: divider, zoom in step, blink, keys, phones."""

import numpy as np
import pytest
from chromium import CHROMIUM, Chromium

from realesrgan_paddle.commands.compare import compare
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.images import write_image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]


def network(change):
    return Upscaler(
        lambda x: change(x.repeat(4, axis=2).repeat(4, axis=3)).clip(0, 1), 4
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    draw = np.random.default_rng(0)
    for name in "ab":
        image = draw.integers(0, 256, (120, 200, 3), np.uint8)
        write_image(folder / f"lq/{name}.png", image)
    networks = {"old": network(lambda x: x), "new": network(lambda x: 1 - x)}
    return compare(sorted((folder / "lq").iterdir()), networks, folder / "out").page


PLACE = "(e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height] })"
STAGE = "rows[1].stage"


def test_pixels_are_whole_and_the_pictures_of_a_row_move_together(page):
    with Chromium(page, size=(1280, 1000)) as browser:
        browser.wait_for("typeof rows == 'object' && rows.length == 6")
        width = browser.evaluate(f"{STAGE}.clientWidth")
        assert width == 640, "twice the crop of 80 pixels, four times as large"
        browser.evaluate("rows[1].element.scrollIntoView()")
        left, top, width, height = browser.evaluate(f"{PLACE}({STAGE})")
        middle = (left + width / 2, top + height / 2)
        cut = f"{STAGE}.querySelector('.divider').getAttribute('aria-valuenow')"
        browser.drag(middle, (left + width / 4, middle[1]))
        assert browser.evaluate(cut) == "25"

        browser.press("+")
        browser.press("+")
        browser.press("+")
        assert browser.evaluate("byId('zoom').value") == "3"
        layers = [
            f"{STAGE}.querySelectorAll('.picture')[{number}]" for number in (0, 1)
        ]
        layers.append("rows[1].figures[2].querySelector('.picture')")
        sizes = {browser.evaluate(f"{PLACE}({layer})[2]") for layer in layers}
        assert sizes == {3 * 320}
        before = [browser.evaluate(f"{PLACE}({layer})") for layer in layers]
        place = (left + width * 0.8, middle[1])
        browser.drag(place, (place[0] - 60, place[1] + 40))
        after = [browser.evaluate(f"{PLACE}({layer})") for layer in layers]
        for (x, y, *_), (x_then, y_then, *_) in zip(before, after, strict=True):
            assert (x_then - x, y_then - y) == pytest.approx((-60, 40), abs=1)
        assert browser.evaluate(cut) == "25", "the divider stays"
        assert not browser.messages
        assert all(url.startswith(("file:", "data:")) for url in browser.requests)


def test_fingers_move_the_divider_zoom_pan_and_scroll(page):
    with Chromium(page, size=(500, 900)) as browser:
        browser.send("Emulation.setTouchEmulationEnabled", enabled=True)
        browser.wait_for("typeof rows == 'object' && rows.length == 6")
        browser.evaluate(f"{STAGE}.scrollIntoView({{block: 'center'}})")
        left, top, width, height = browser.evaluate(f"{PLACE}({STAGE})")
        middle, y = left + width / 2, top + height / 4
        cut = f"{STAGE}.querySelector('.divider').getAttribute('aria-valuenow')"
        browser.touch(((middle, y), (left + width / 4, y)))
        assert browser.evaluate(cut) == "25"

        zoom = "Number(byId('zoom').value)"
        browser.touch(
            ((middle - 20, y), (left + 9, y)), ((middle + 20, y), (left + width - 9, y))
        )
        assert browser.evaluate(zoom) > 1
        picture = f"{PLACE}({STAGE}.querySelector('.picture'))"
        before = browser.evaluate(picture)
        browser.touch(((middle, y), (middle + 30, y + 20)))
        moved = [
            now - then
            for now, then in zip(browser.evaluate(picture), before, strict=True)
        ]
        assert moved[:2] == pytest.approx([30, 20], abs=1)
        ends = (left + 9, y), (left + width - 9, y)
        for _ in range(3):
            browser.touch(*((end, (middle, y)) for end in ends), steps=30)
        assert browser.evaluate(zoom) == 0
        assert browser.evaluate(cut) == "25"

        scrolled = browser.evaluate("scrollY")
        browser.touch(((left + 9, y), (left + 12, y - 120)))
        browser.wait_for(f"scrollY > {scrolled}")
        assert browser.evaluate(cut) == "25", "the divider stays where a finger scrolls"
        assert not browser.messages


def test_keys_and_clicks_choose_what_is_shown(page):
    with Chromium(page, size=(1280, 1000)) as browser:
        browser.wait_for("typeof rows == 'object' && rows.length == 6")
        shown = f"[...{STAGE}.querySelectorAll('.layer b')].map(b => b.textContent)"
        assert browser.evaluate(shown) == ["new", "old"]
        browser.press("x")
        assert browser.evaluate(shown) == ["old", "new"]
        browser.evaluate("rows[4].figures[1].querySelector('button').click()")
        assert browser.evaluate(shown) == ["bicubic", "new"], "in all rows"

        state = f"{STAGE}.className"
        browser.press(" ")
        assert "only-left" in browser.evaluate(state)
        browser.press("b")
        browser.wait_for(f"{state}.includes('only-right')")
        browser.wait_for(f"{state}.includes('only-left')")
        browser.press("Escape")
        assert "only" not in browser.evaluate(state)
        browser.press("n")
        assert browser.evaluate("scrollY") > 0


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_it_without_scrolling_sideways(page, dark):
    with Chromium(page, size=(500, 900), dark=dark) as browser:
        screen = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.send("Emulation.setDeviceMetricsOverride", **screen)
        browser.wait_for("typeof rows == 'object' && rows.length == 6")
        browser.wait_for("document.documentElement.scrollWidth <= 400")
        assert browser.evaluate(f"{STAGE}.clientWidth") == 320
        background = "getComputedStyle(document.body).backgroundColor"
        expected = "rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)"
        assert browser.evaluate(background) == expected
