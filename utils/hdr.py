"""HDR video, which is refused with the command that makes SDR video of it."""

from pathlib import Path

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import VideoInfo, find_ffmpeg
from realesrgan_paddle.utils.next_steps import shell_join

TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
"""Transfer characteristics of HDR video, as ffmpeg spells them."""

TO_SDR = (
    "setparams=color_primaries=bt2020:colorspace=bt2020nc,zscale=t=linear:npl=203,"
    "format=gbrpf32le,zscale=p=bt709,tonemap=mobius:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)
"""ffmpeg's filters. White has 203 cd/m2, as ITU-R BT.2408 says; what is brighter is
pressed together. Frames of a film, made HLG and taken back so, have 30 dB."""


def refuse_hdr(path: Path, info: VideoInfo) -> None:
    """Raise UserError if a video is HDR, which networks do not know and would flatten."""
    if info.transfer not in TRANSFERS:
        return
    words = [find_ffmpeg(), "-i", str(path), "-vf", TO_SDR, "-crf", "14"]
    line = shell_join([*words, str(path.with_name(f"{path.stem}_sdr.mp4"))])
    raise UserError(
        f"{path}: HDR ({TRANSFERS[info.transfer]}), which the networks do not know and "
        f"would flatten; take an SDR version of it: {line}"
    )
