"""Files of others, from a URL or a folder."""

import hashlib
import http.client
import urllib.request
from pathlib import Path

from mgconv.errors import UserError, brief

MAX_BYTES = 200_000_000  # of a file


def fetch(place: str, sha256: str | None = None, most: int = MAX_BYTES) -> bytes:
    """The whole content of a file.

    Args:
        place: its path or URL.
        sha256: expected of it; None takes any.
        most: bytes that are read of a URL.

    Raises:
        UserError: it cannot be reached, is cut, or is another.
    """
    content = _read(place, most)
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        remedy = "Try again, or fetch it by hand."
        raise UserError(f"{place} is not the published file", f"SHA-256 {found}", remedy)
    return content


def _read(place: str, most: int) -> bytes:
    try:
        if "://" not in place:
            return Path(place).expanduser().read_bytes()
        with urllib.request.urlopen(place, timeout=60) as reply:
            content, size = reply.read(most), int(reply.headers["Content-Length"] or 0)
        if len(content) < size:
            raise http.client.IncompleteRead(content, size - len(content))
        return content
    except (OSError, ValueError, http.client.HTTPException) as error:
        found = brief(error) or type(error).__name__
        raise UserError(f"Cannot fetch {place}", found, "Try again later.") from None
