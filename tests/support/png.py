"""A screenshot's pixels, without a picture library: PNG (ISO/IEC 15948) as browsers write it, 8 bits a channel, not interlaced."""

import struct
import zlib

_CHANNELS = {2: 3, 6: 4}  # truecolour, with alpha


def grey_pixels(png: bytes) -> memoryview:
    """Rows of brightness, 0 to 255."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, interlaced) == (8, 0)
    channels = _CHANNELS[colour]
    stream, at = zlib.decompress(_data(png)), 0
    before = bytearray(width * channels)
    grey = bytearray()
    for _ in range(height):
        row = _unfiltered(stream[at], bytearray(stream[at + 1 : at + 1 + len(before)]), before, channels)
        grey += row[1::channels]  # green is nearly all of brightness
        before, at = row, at + 1 + len(before)
    return memoryview(bytes(grey)).cast("B", shape=[height, width])


def _data(png: bytes) -> bytes:
    """What its IDAT chunks hold."""
    parts, at = [], 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        if name == b"IDAT":
            parts.append(png[at + 8 : at + 8 + length])
        at += 12 + length
    return b"".join(parts)


def _unfiltered(filter_: int, row: bytearray, up: bytearray, step: int) -> bytearray:
    """The standard's section 9."""
    for n in range(len(row)):
        left = row[n - step] if n >= step else 0
        if filter_ == 1:
            row[n] = row[n] + left & 0xFF
        elif filter_ == 2:
            row[n] = row[n] + up[n] & 0xFF
        elif filter_ == 3:
            row[n] = row[n] + (left + up[n]) // 2 & 0xFF
        elif filter_ == 4:
            row[n] = row[n] + _paeth(left, up[n], up[n - step] if n >= step else 0) & 0xFF
    return row


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))
