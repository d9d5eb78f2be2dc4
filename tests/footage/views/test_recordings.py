"""Where two videos run in step they are one recording, and the lesser one gives no frame."""

from realesrgan_paddle.data.footage.views.recordings import find_lesser_frames

TIMES = [0.0, 2.0, 4.0, 6.0, 8.0]


def dropped(pairs: list[tuple[int, int]], lag: float = 0.5, good: int = 1) -> set[int]:
    """Return what goes of two videos of five frames; the second one is `lag` behind."""
    sources = ["a"] * 5 + ["b"] * 5
    seconds = TIMES + [time + lag for time in TIMES]
    ranks = [source != "ab"[good] for source in sources]
    return set(find_lesser_frames(sources, seconds, pairs, ranks))


def test_from_the_first_copy_to_the_last_the_lesser_video_gives_no_frame():
    pairs = [(1, 6), (3, 8), (4, 9)]
    assert dropped(pairs) == {1, 2, 3, 4}
    assert dropped(pairs, good=0) == {6, 7, 8, 9}


def test_two_copies_or_one_frame_often_say_nothing_of_those_between():
    assert not dropped([(0, 5), (4, 9)])
    assert not dropped([(0, 5), (0, 6), (0, 7), (0, 8)], lag=0.2)


def test_copies_without_one_difference_of_times_are_a_still_scene():
    assert not dropped([(0, 9), (2, 5), (4, 7)])


def test_a_copy_is_named_that_is_near():
    found = find_lesser_frames(
        ["a"] * 5 + ["b"] * 5, TIMES * 2, [(0, 5), (2, 7), (4, 9)], [1] * 5 + [0] * 5
    )
    assert found == {0: 5, 1: 5, 2: 7, 3: 7, 4: 9}


def test_stretches_of_a_compilation_are_told_apart():
    sources = ["match"] * 12 + ["best"] * 6
    seconds = [*range(0, 24, 2), 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    first = [(1, 12), (2, 13), (3, 14)]  # two seconds earlier there
    second = [(9, 15), (10, 16), (11, 17)]  # and twelve
    ranks = [1] * 12 + [0] * 6
    assert set(find_lesser_frames(sources, seconds, [*first, *second], ranks)) == {
        *(1, 2, 3),
        *(9, 10, 11),
    }
