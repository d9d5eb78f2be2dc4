"""What a sound decoder puts out before the first sample that is to be heard.

mp4 hides it with an edit list: the first packet has a negative time. Matroska has an
element for it, CodecDelay, which PyAV cannot set. Without it all streams would begin
later by that much, and the picture would not begin at 0.
"""

import io
from fractions import Fraction
from typing import Any

import av

LANGUAGE = bytes.fromhex("22b59c83") + b"und"
"""The element of a track without a language, as ffmpeg writes it."""
CODEC_DELAY = bytes.fromhex("56aa84")
"""The head of an element CodecDelay [ns] of 4 bytes: as long as that of the language."""
LONGEST_DELAY = Fraction(4)
"""What is believed to be priming [s]; 4 bytes hold 4.29 s. AAC has 0.02 to 0.05."""


def priming(stream: Any, origin: Fraction) -> Fraction:
    """Return how long before `origin` the first packet of a sound begins [s]; 0: not.

    Only mp4 and mov, whose index tells the times of all packets, have such.
    """
    if stream.type != "audio" or not len(stream.index_entries):
        return Fraction(0)
    begin = stream.index_entries[0].timestamp * stream.time_base
    delay = origin - begin
    return delay if 0 < delay < LONGEST_DELAY else Fraction(0)


def primed(stream: Any, delay: Fraction) -> Any:
    """Return a Matroska file whose only stream has the same codec, and a CodecDelay.

    PyAV's InputContainer of a file in memory, with one packet without meaning.

    Args:
        stream: of the source.
        delay: of the decoder [s].
    """
    file = io.BytesIO()
    options = {"write_crc32": "0"}
    with av.open(file, "w", format="matroska", container_options=options) as output:
        copy = output.add_stream_from_template(stream, opaque=True)
        output.start_encoding()
        packet: Any = av.Packet(b"\0")
        packet.pts = packet.dts = 0
        packet.stream = copy
        output.mux(packet)

    nanoseconds = round(delay * 10**9).to_bytes(4, "big")
    header = file.getvalue().replace(LANGUAGE, CODEC_DELAY + nanoseconds, 1)
    return av.open(io.BytesIO(header), format="matroska")
