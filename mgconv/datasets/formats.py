"""Formats of images that are read, and what is done about a file that Pillow refuses."""

import contextlib
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
        return [whole + pad * 64 + JPEG_END for pad in (b"\0", b"\x55", b"\xaa")]
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
