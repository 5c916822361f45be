"""What renders can be: names, sizes and distances of the eyes."""

from pathlib import Path

import pytest

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.scene.output import OutputSettings, eye_distance, output_files, output_kind, picture_size


def test_the_ending_says_what_it_becomes():
    kinds = {"a.mp4": "movie", "a.MOV": "movie", "a.gif": "gif", "a.png": "still", "a.exr": "still", "frames": "frames"}
    assert {name: output_kind(Path(name)) for name in kinds} == kinds
    with pytest.raises(DioramaError, match="a.avi has no ending that can be rendered"):
        output_kind(Path("a.avi"))


def test_a_pair_is_two_files():
    pair = OutputSettings(stereo="pair")
    assert output_files(Path("d/a.mp4"), pair) == [Path("d/a_left.mp4"), Path("d/a_right.mp4")]
    assert output_files(Path("d/frames"), pair) == [Path("d/frames")] and output_files(Path("a.gif"), OutputSettings()) == [Path("a.gif")]


@pytest.mark.parametrize(
    "photo, kind, options, size",
    [
        ((6000, 4000), "still", {}, (6000, 4000)),
        ((6000, 4000), "movie", {}, (1280, 854)),  # 853.3: even
        ((4000, 6000), "gif", {}, (427, 640)),
        ((160, 121), "movie", {}, (160, 120)),  # never larger than the photo
        ((160, 120), "still", dict(render_side=320), (320, 240)),  # unless that is asked for
        ((160, 120), "movie", dict(stereo="vr180", render_side=101), (100, 100)),
        ((6000, 4000), "still", dict(stereo="vr180"), (1920, 1920)),
        ((5000, 3), "movie", {}, (1280, 2)),
    ],
)
def test_sizes(photo, kind, options, size):
    assert picture_size(photo, kind, OutputSettings(**options)) == size


def test_the_eyes_are_a_persons_only_where_metres_are_known():
    assert eye_distance(OutputSettings(), 3.0, True) == pytest.approx(0.1)
    assert eye_distance(OutputSettings(stereo="vr180"), 3.0, True) == 0.063
    assert eye_distance(OutputSettings(stereo="vr180"), 3.0, False) == pytest.approx(0.1)
    assert eye_distance(OutputSettings(stereo="vr180", eye_distance=0.2), 3.0, True) == 0.2


def test_impossible_values_are_sentences():
    for values in (dict(stereo="hologram"), dict(samples=-1), dict(render_side=-1), dict(engine="eevee", stereo="vr180")):
        with pytest.raises(DioramaError):
            OutputSettings(**values)


def test_no_option_of_a_render_is_called_as_one_of_a_diorama():
    """The command line has them all in one list."""
    from dataclasses import fields

    from photo_diorama.core.settings import each_option

    assert not {f.name for f in fields(OutputSettings)} & {f.name for _, f in each_option()}
