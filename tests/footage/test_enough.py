"""What a set says of its frames: whether they are enough, and why a source gave few."""

from realesrgan_paddle.data.footage.enough import enough_lines
from realesrgan_paddle.data.footage.passport.page import about_sources, summary_line
from realesrgan_paddle.data.footage.passport.passport import Passport, Verdict

GOOD = Passport(source="a.mp4", name="a", size=(1280, 720), kept=30)
VERDICT = Verdict(decision="train if nothing better", reasons=("QP 30",))
POOR = GOOD.model_copy(update={"name": "b", "verdict": VERDICT})


def test_a_set_says_what_would_help_most():
    (enough,) = enough_lines([GOOD], frames=60, views=9)
    assert enough.startswith("60 frames of 9 views: enough to train on")
    assert "of soccer, 8 frames of 5 clips" in enough

    cases = {
        (60, 1): "60 frames of 1 view: enough frames, few views; clips of other places",
        (3, 2): "3 frames of 2 views: few frames; clips of other places",
        (6, 6): "longer clips would help most",
    }
    for (frames, views), text in cases.items():
        assert text in next(enough_lines([GOOD], frames, views))

    (poor,) = enough_lines([POOR], frames=60, views=9)
    assert "less compressed footage would help most" in poor
    *_, left_out = enough_lines([GOOD, POOR], frames=60, views=9)
    assert left_out == "there is better than b: the other sources have 30 frames"


def test_a_source_of_one_frame_says_what_became_of_the_others():
    dropped = {"blurred": 20, "near-duplicates": 12, "in a transition": 1}
    single = GOOD.model_copy(update={"kept": 1, "dropped": dropped})
    counts = "1 of 34 frames kept: 20 blurred, 12 near-duplicates, 1 in a transition"
    assert counts in summary_line(single)
    (about,) = about_sources([single]).values()
    dropped_of = "1 of 34 frames kept; dropped: 20 blurred, 12 near-duplicates"
    assert dropped_of in " ".join(about.remarks)

    many = GOOD.model_copy(update={"dropped": dropped})
    assert summary_line(many).endswith("30 of 63 frames kept")
