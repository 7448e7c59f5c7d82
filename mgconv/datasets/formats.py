"""Formats of images that are read, and what is done about a file that Pillow refuses."""

import contextlib
import re
import struct
import warnings
from collections.abc import Iterator

# as Pillow calls them; of no other: it gives EPS to Ghostscript
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF")

NAMES = "JPEG, PNG, WebP, BMP, GIF, TIFF, PPM or AVIF"

HEAD_BYTES = 16  # tell a format

PNG, JPEG, JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd9"

PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Pillow's warnings off the terminal; an image that cannot be used is reported anyhow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def repairs(content: bytes) -> list[bytes]:
    """Versions of a file that Pillow refuses; where all give the same pixels, these are its own.

    A JPEG without its end gets different bytes after it: pixels that are there do not depend on
    them. There are no versions where there is nothing to try.
    """
    if content.startswith(PNG):
        return [_bare_png(content)]
    if content.startswith(JPEG):
        whole = content.removesuffix(b"\xff")
        ends = [pad * 64 + JPEG_END for pad in (b"\0", b"\x55", b"\xaa")]
        return [whole + end for end in ends] if _has_all_scans(whole) else []
    return []


def _bare_png(content: bytes) -> bytes:
    """Without texts and profiles, which Pillow bounds and which make no pixel."""
    parts, place = [PNG], len(PNG)
    while place + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + size
        if kind in PIXEL_CHUNKS:
            parts.append(content[place:end])
        place = end
    return b"".join(parts)


FRAMES, SCAN = {0xC0, 0xC1, 0xC2}, 0xDA  # markers of a JPEG: baseline or progressive; a scan

MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # the others stand within a scan


def _has_all_scans(jpeg: bytes) -> bool:
    """Whether every bit of every coefficient is in some scan that has begun.

    A progressive JPEG shows a coarse picture first: cut between two scans that is all there is.
    """
    parts: bytes = b""
    low_bits: dict[tuple[int, int], int] = {}  # of a part's coefficient, not known yet
    place = 2
    while (marker := MARKER.search(jpeg, place)) and marker.end() + 2 <= len(jpeg):
        place = marker.start()
        kind, size = struct.unpack_from(">xBH", jpeg, place)
        body = jpeg[place + 4 : place + 2 + size]
        if kind in FRAMES:
            parts = body[6::3]
        elif kind == SCAN:
            first, last, approximation = body[-3:]
            names = body[1:-3:2]
            bits = {(name, k): approximation & 15 for name in names for k in range(first, last + 1)}
            low_bits |= bits
        place += 2 + size
    return all(low_bits.get((name, k)) == 0 for name in parts for k in range(64))
