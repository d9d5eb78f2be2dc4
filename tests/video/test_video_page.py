"""The page with two players, the file to share, and what they show: the clips' own frames."""

import json
import re
import time
from fractions import Fraction
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from chromium import CHROMIUM, Chromium
from clips import ffmpeg, picture_clip
from made_clips import AAC, MPEG2, PICTURE, STREAMS, TIMES, X264, pattern, tone
from read_back import decoded_sound, read_back
from upscaled import SCALE, repeated, upscale_clip

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.tools import compare as tool
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.report.video_page import run_lengths
from realesrgan_paddle.video.comparison import (
    compare_videos,
    file_name,
    upscale_for_comparison,
    write_frames_page,
    write_preview,
)
from realesrgan_paddle.video.pictures import open_excerpt
from realesrgan_paddle.video.playable import is_played, playable
from realesrgan_paddle.video.side_by_side import picture_size
from realesrgan_paddle.video.time_slice import TimeSlice

pytest.importorskip("av")

TIMED = {
    "copied.mp4": (*PICTURE, *X264, "-bf", 3),
    "interlaced.mpg": (*PICTURE, *MPEG2, "-bf", 2, "-f", "vob"),
    "10 bits.mp4": (*PICTURE, "-pix_fmt", "yuv420p10le", *X264),
    "odd.mkv": (*pattern(size="63x47", also="format=yuv444p"), "-c:v", "ffv1"),
}


class Page(HTMLParser):
    """A page's tags, and the data for its script."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts = [("", {})], {}
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        tag, attributes = self.tags[-1]
        self.texts.setdefault(attributes.get("id", tag), data)

    @property
    def data(self):
        return json.loads(self.texts["clips"])

    def links(self):
        names = ("src", "href", "action", "poster")
        return [tag[name] for _, tag in self.tags for name in names if name in tag]


@pytest.fixture
def pair(tmp_path):
    """A clip with sound, and its double."""
    source, result = tmp_path / "match.mp4", tmp_path / "match_x2.mp4"
    ffmpeg(*PICTURE, *tone(), *X264, *AAC, f"file:{source}")
    ffmpeg("-i", source, "-vf", "scale=2*iw:-1:flags=neighbor", *X264, "-an", result)
    return source, result


def times_on_page(clip):
    """The times that the script computes for one of its clips."""
    numerator, denominator = clip["tick"]
    steps = [length for length, count in clip["steps"] for _ in range(count)]
    return [Fraction(int(n) * numerator, denominator) for n in np.cumsum([0, *steps])]


@pytest.mark.parametrize("name", [*TIMED, "varying.mkv", "begins at an hour.mkv"])
def test_what_is_played_has_the_frames_and_times_of_the_source(tmp_path, name):
    source, target = tmp_path / name, tmp_path / "played.mp4"
    if name in TIMED:
        ffmpeg(*TIMED[name], f"file:{source}")
    else:
        TIMES[name].make(source)
    clip = playable(open_excerpt("input", source), target)

    before, after = read_back(source), read_back(target)
    first = before.times[0]
    assert after.times[0] == 0
    assert after.times == pytest.approx([t - first for t in before.times], abs=2e-6)
    assert clip.times[:-1] == pytest.approx(after.times, abs=2e-6)
    assert float(clip.times[-1]) == pytest.approx(
        float(after.times[-1] + after.durations[-1]), abs=1e-3
    )

    width, height = before.size
    assert clip.size == (width, height)
    padded = [round(n * (1 + p)) for n, p in zip(clip.size, clip.padding, strict=True)]
    assert tuple(padded) == after.size
    shown = after.images[:, :height, :width]
    assert np.abs(shown.astype(int) - before.images).mean() < 3
    assert after.pixel_format in ("yuv420p", "yuv420p(tv)")


def test_only_what_browsers_play_is_copied(tmp_path):
    copied, other = tmp_path / "a.mp4", tmp_path / "b.mkv"
    ffmpeg(*PICTURE, *X264, "-bf", 3, copied)
    ffmpeg("-i", copied, "-c", "copy", other)
    excerpt = open_excerpt("a", copied)
    assert is_played(excerpt)
    playable(excerpt, tmp_path / "played.mp4")
    assert (read_back(tmp_path / "played.mp4").images == read_back(copied).images).all()
    assert not is_played(open_excerpt("b", other))
    assert not is_played(open_excerpt("a", copied, VideoSettings(end=0.4)))


def test_a_part_is_cut_to_the_frame_and_its_sound_to_the_sample(pair, tmp_path):
    source, target = pair[0], tmp_path / "part.mp4"
    clip = playable(
        open_excerpt("a", source, VideoSettings(start=0.2, end=0.6)), target
    )
    whole, part = read_back(source), read_back(target)
    assert len(clip.times) == 11
    assert np.abs(part.images.astype(int) - whole.images[5:15]).mean() < 3
    assert abs(lag(source, target) - 0.2) < 0.001


def test_two_videos_are_decoded_at_once(tmp_path):
    """One delays its frames, the other does not: each keeps its own numbers."""
    plain, delayed = tmp_path / "plain.mp4", tmp_path / "delayed.mp4"
    ffmpeg(*PICTURE, *X264, "-bf", 0, "-tune", "zerolatency", plain)
    ffmpeg(*PICTURE, *X264, "-bf", 3, delayed)
    excerpts = [open_excerpt("a", plain), open_excerpt("b", delayed)]
    pairs = zip(*(excerpt.arrays(64, 48) for excerpt in excerpts), strict=True)
    far = [np.abs(left.astype(int) - right).mean() for left, right in pairs]
    assert len(far) == 20
    assert max(far) < 3


@pytest.mark.parametrize("name", ["late sound.mkv", "late picture.mp4"])
def test_sound_stays_in_step_with_the_picture(tmp_path, name):
    source, target = tmp_path / name, tmp_path / "played.mp4"
    STREAMS[name].make(source)
    assert playable(open_excerpt("a", source), target).has_sound
    first = float(read_back(source).times[0])
    assert (first > 0.2) == (name == "late picture.mp4")
    assert abs(lag(source, target) - first) < 0.001


def lag(source, target):
    """How much earlier [s] the sound of `target` is than that of `source`."""
    tracks = []
    for path in (source, target):
        start, rate, samples = decoded_sound(path, 0)
        silence = np.zeros(round(start * rate))
        track = np.concatenate([silence, samples.reshape(len(samples), -1)[:, 0]])
        tracks.append(np.pad(track, (0, 4 * rate - len(track))))
    spectra = [np.fft.rfft(track) for track in tracks]
    likeness = np.fft.irfft(spectra[0] * spectra[1].conj())
    best = int(likeness.argmax())
    return (best if best < 2 * rate else best - 4 * rate) / rate


def test_the_page_asks_nobody_and_holds_what_the_players_need(pair, tmp_path):
    excerpts = [open_excerpt(*each) for each in zip(("input", "x2"), pair, strict=True)]
    done = compare_videos(excerpts, tmp_path / "out", measured_frames=3)
    page = Page(done.page)
    first, second = page.data["clips"]
    assert times_on_page(first) == times_on_page(second) == excerpts[0].times
    assert (first["label"], first["size"]) == ("input", [64, 48])
    assert (second["label"], second["size"]) == ("x2", [128, 96])
    assert first["sound"]
    assert not second["sound"]
    for link in page.links():
        assert (tmp_path / "out" / link).is_file(), link
    for word in ("http:", "https:", "//", "@import", "url("):
        code = re.sub(r"//.*", "", page.source) if word == "//" else page.source
        assert word not in code
    assert "<th>sharpness</th>" in page.source
    assert set(done.metrics) == {"bicubic", "x2"}
    assert "temporal consistency of 3 of 20 frames, at 128x96" in str(done)


HOSTILE = '"><script>alert(1)</script>\n</script><img src=x>‮'


def test_a_hostile_name_is_text(tmp_path):
    source = tmp_path / '"><script>.mp4'
    ffmpeg(*PICTURE, *X264, f"file:{source}")
    excerpts = [open_excerpt("input", source), open_excerpt(HOSTILE, source)]
    done = compare_videos(excerpts, tmp_path / "a #?%<b", measured_frames=0)
    page = Page(done.page)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in page.tags]
    assert page.data["clips"][1]["label"].startswith('"><script>alert(1)</script>\\n')
    assert "‮" not in page.source
    assert "\n" not in page.data["clips"][1]["label"]
    assert re.fullmatch(r"1-[\w.-]+\.mp4", page.data["clips"][1]["file"])
    assert len(str(done).splitlines()) == 2


def test_names_of_files_are_those_of_no_folder():
    assert file_name(2, "../../etc/x") == "2-.._.._etc_x.mp4"
    assert len(file_name(3, "名前" * 500)) < 60


def test_times_are_runs_of_equal_frames():
    times = [Fraction(n * 1001, 30000) for n in range(1000)]
    assert run_lengths(times) == (Fraction(1, 30000), [[1001, 999]])
    uneven = [Fraction(n, 1000) for n in (0, 33, 67, 100)]
    assert run_lengths(uneven) == (Fraction(1, 1000), [[33, 1], [34, 1], [33, 1]])


@pytest.mark.parametrize(
    ("left", "right", "layout", "size"),
    [
        ((640, 272), (2560, 1088), "beside", (1920, 816)),
        ((640, 272), (2560, 1088), "split", (2560, 1088)),
        ((63, 47), (126, 94), "beside", (126, 94)),
        ((480, 852), (1920, 3408), "beside", (1216, 2160)),
    ],
)
def test_the_file_to_share_is_at_most_4k(left, right, layout, size):
    assert picture_size(left, right, layout) == size


@pytest.mark.parametrize("layout", ["beside", "split"])
def test_the_file_to_share_shows_both(tmp_path, layout):
    size = (320, 179)
    colors = {"left": (200, 40, 40), "right": (40, 40, 200)}
    for name, color in colors.items():
        image = np.full((*size[::-1], 3), color, np.uint8)
        picture_clip(tmp_path / f"{name}.mkv", [image] * 4)
    excerpts = [open_excerpt(name, tmp_path / f"{name}.mkv") for name in colors]
    done = compare_videos(excerpts, tmp_path, layout=layout, measured_frames=0)

    video = read_back(done.shared)
    width = 640 if layout == "beside" else 320
    assert video.size == done.shared_size == (width, 180)
    assert not done.remarks, "it is made even, not scaled down to 4K"
    assert video.times == [Fraction(n, 25) for n in range(4)]
    image = video.images[2].astype(int)
    assert np.abs(image[100, width // 4] - colors["left"]).max() <= 4
    assert np.abs(image[100, 3 * width // 4] - colors["right"]).max() <= 4
    assert image[100, width // 2].min() > 200, "the line between them"
    label = image[:25, : width // 4]
    assert label.max() > 200, "the label is white"


def test_a_frame_is_beside_what_is_shown_at_its_time(tmp_path):
    grays = [40, 80, 120, 160]
    images = [np.full((64, 96, 3), gray, np.uint8) for gray in grays]
    slow = picture_clip(tmp_path / "slow.mkv", images, rate=10)
    fast = picture_clip(tmp_path / "fast.mkv", np.repeat(images, 2, axis=0), rate=20)
    excerpts = [open_excerpt("slow", slow), open_excerpt("fast", fast)]
    done = compare_videos(excerpts, tmp_path)
    assert "temporal consistency is not measured" in done.remarks[0]
    for number, image in enumerate(read_back(done.shared).images.astype(int)):
        assert np.abs(image[50, [20, 170]] - grays[number // 2]).max() <= 3


def test_results_are_made_by_networks(pair, tmp_path):
    networks = {"a b": Upscaler(repeated, SCALE), "c": Upscaler(repeated, SCALE)}
    part = VideoSettings(start=0.2, end=0.4)
    made = upscale_for_comparison(pair[0], networks, tmp_path / "out", part)
    assert [excerpt.label for excerpt in made] == ["a b", "c"]
    assert [len(excerpt.times) for excerpt in made] == [6, 6]
    source = open_excerpt("input", pair[0], part)
    done = compare_videos([source, *made], tmp_path / "out", measured_frames=2)
    page = Page(done.page)
    chosen = [tag["value"] for name, tag in page.tags if "selected" in tag][:2]
    assert chosen == ["1", "2"], "the networks are compared at first"
    assert page.data["start"] == 0.2
    assert len(decoded_sound(done.shared, 0)[2]) > 0


def test_the_command_compares_results(pair, tmp_path, capsys):
    source, result = map(str, pair)
    flags = ["--video", "--input", source, "--results", f"x2={result}"]
    out = tmp_path / "out"
    assert tool.main([*flags, "--output", str(out), "--measured_frames", "2"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"\nbicubic +\d\.\d{3}\nx2 +\d\.\d{3}\nsharpness: ", printed)
    assert f"open {out / 'index.html'} in a browser" in printed
    assert {path.suffix for path in out.iterdir()} == {".html", ".mp4", ".png"}
    assert 'src="time_slices.png"' in (out / "index.html").read_text()

    flags += ["--gt", result, "--output", str(out), "--measured_frames", "0"]
    assert tool.main([*flags, "--layout", "split"]) == 0
    labels = [clip["label"] for clip in Page(out / "index.html").data["clips"]]
    assert labels == ["input", "x2", "ground truth"]
    assert (out / "split.mp4").is_file()
    assert "time_slices" not in (out / "index.html").read_text()


def test_a_time_slice_is_a_detailed_column_of_each_frame():
    rng = np.random.default_rng(0)
    lines = np.full((5, 90, 3), 90, np.uint8)
    lines[:, 60:70] = rng.integers(0, 255, (5, 10, 3))
    frames = lines[:, None].repeat(300, axis=1)
    slices = TimeSlice()
    assert np.array_equal([*slices.watched("stripes", frames)], frames)
    assert np.array_equal([*slices.watched("inverted", 255 - frames)], 255 - frames)

    middle = slices.sheet()[-100]
    shown = [
        [column for column in range(90) if _holds(middle, each[:, column])]
        for each in (lines, 255 - lines)
    ]
    assert shown[0] == shown[1]
    assert 59 <= shown[0][0] <= 70


def _holds(row, colors):
    """Return whether a row of a sheet has the colors over time, each three times."""
    wanted = colors.repeat(3, axis=0)
    places = range(len(row) - len(wanted) + 1)
    return any(np.array_equal(row[x : x + len(wanted)], wanted) for x in places)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["a.mp4", "--models", "a=b"], "--input a.mp4: a video; add --video"),
        (["a.png"], "--models: name the networks"),
        (["a.png", "--results", "a=b"], "--results: compares videos; add --video"),
        (["a.mp4", "--video"], "--video: give --models NAME=MODEL"),
        (["a.mp4", "b.mp4", "--video", "--results", "a=b"], "compares one video"),
        (
            ["a.mp4", "--video", "--results", "a=b", "--crop", "0,0,8,8"],
            "--crop: compares images",
        ),
        (
            ["a.mp4", "--video", "--results", "a=b", "--models", "a=c"],
            "two columns cannot be named 'a'",
        ),
    ],
)
def test_flags_that_do_not_belong_together_are_named(flags, message):
    with pytest.raises(UserError, match=re.escape(message)):
        tool.main(["--input", *flags])


def test_a_preview_shows_the_part_and_its_result(pair, tmp_path):
    settings = VideoSettings(start=0.2, end=0.4)
    result = tmp_path / "part_x2.mp4"
    upscale_clip(pair[0], result, start=0.2, end=0.4)
    page = Page(write_preview(pair[0], result, tmp_path / "preview", settings))
    before, after = page.data["clips"]
    assert times_on_page(before)[:-1] == times_on_page(after)[:-1]
    assert len(times_on_page(before)) == 6
    assert page.data["start"] == 0.2


def test_frames_are_files_beside_their_page(tmp_path):
    lq = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    sr = lq.repeat(2, 0).repeat(2, 1)
    frames = [(Fraction(3, 2), lq, sr), (Fraction(4000), lq, sr)]
    page = write_frames_page(frames, tmp_path / "p", headline="<b>", remark="2 frames")
    read = Page(page)
    assert "0:00:01.500" in read.source
    assert "1:06:40.000" in read.source
    assert "&lt;b&gt;" in read.source
    links = read.links()
    files = [tmp_path / "p" / link for link in links if link.endswith(".png")]
    assert len(files) == 4
    crops = [link for link in links if link.startswith("data:image/png;")]
    assert len(crops) == 4, "one of each frame, of both"
    assert (read_image(files[0]) == lq).all()
    assert (read_image(files[3]) == sr).all()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A page of two clips of 4 s, the second at an uneven rate."""
    folder = tmp_path_factory.mktemp("played")
    words = pattern(count=100, size="320x180", also="format=yuv420p")
    ffmpeg(*words, *tone(seconds=4), *X264, "-g", 50, *AAC, folder / "a.mp4")
    ffmpeg(
        "-i",
        folder / "a.mp4",
        "-vf",
        "scale=640:360",
        *X264,
        "-g",
        100,
        folder / "b.mp4",
    )
    excerpts = [
        open_excerpt("input", folder / "a.mp4"),
        open_excerpt("x2", folder / "b.mp4"),
    ]
    return compare_videos(excerpts, folder / "out", measured_frames=0).page


DRIFT = "right.video.currentTime - left.video.currentTime"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_players_stay_on_the_same_frame_in_a_browser(played):
    with Chromium(played) as browser:
        browser.wait_for(
            "typeof players == 'object' && players.every((p) => p.canGoOn)"
        )
        assert browser.evaluate("left.video.muted && right.video.muted")
        browser.evaluate("byId('play').click()")
        drifts = []
        for _ in range(15):
            time.sleep(0.2)
            drifts.append(browser.evaluate(DRIFT))
        assert browser.evaluate("left.video.currentTime") > 1
        # They do not start, or start again, at the very same moment.
        apart = [abs(drift) > 0.5 / 25 for drift in drifts]
        assert sum(apart) <= 3, drifts
        assert not any(map(all, pairwise(apart))), drifts
        assert sorted(map(abs, drifts))[7] < 0.01, drifts

        # Pushed out of step, they come together again.
        browser.evaluate("right.video.currentTime += 0.12")
        time.sleep(1.5)
        assert abs(browser.evaluate(DRIFT)) < 0.5 / 25
        browser.evaluate("byId('play').click()")
        browser.wait_for("players.every((p) => p.settled)")
        frame = browser.evaluate("frame")
        assert browser.evaluate(DRIFT) == 0

        browser.press("ArrowRight")
        browser.wait_for("players.every((p) => p.settled)")
        assert browser.evaluate("frame") == frame + 1
        middle = pytest.approx((frame + 1.5) / 25, abs=1e-5)
        assert browser.evaluate("left.video.currentTime") == middle
        assert (
            browser.evaluate("byId('frame').textContent") == f"frame {frame + 2} of 100"
        )
        assert not browser.messages
        assert all(url.startswith("file:") for url in browser.requests)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_divider_moves_by_pointer_and_by_keys(played):
    with Chromium(played) as browser:
        browser.wait_for(
            "typeof players == 'object' && players.every((p) => p.canGoOn)"
        )
        left, top, width, height = browser.evaluate(
            "(({left, top, width, height}) => [left, top, width, height])"
            "(stage.getBoundingClientRect())"
        )
        cut = "Number(divider.getAttribute('aria-valuenow'))"
        middle = top + height / 2
        browser.drag((left + width / 2, middle), (left + width / 4, middle))
        assert browser.evaluate(cut) == 25
        browser.evaluate("divider.focus()")
        browser.press("ArrowRight")
        assert browser.evaluate(cut) == 26
        assert not browser.evaluate("playing")

        # Zoomed, a drag of the picture moves the picture.
        browser.evaluate("byId('zoom').value = '2'; layOut()")
        place = "left.picture.getBoundingClientRect().left"
        before = browser.evaluate(place)
        browser.drag((left + width * 0.8, middle), (left + width * 0.8 - 40, middle))
        assert browser.evaluate(place) == pytest.approx(before - 40, abs=1)
        assert browser.evaluate("right.picture.getBoundingClientRect().left") == (
            browser.evaluate(place)
        )
        assert browser.evaluate(cut) == 26
