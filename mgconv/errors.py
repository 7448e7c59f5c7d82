"""Mistakes of the user's, reported in one line."""

import difflib
import re
import unicodedata
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's, reported in one line: what is wrong, what was found, what to do."""

    def __init__(self, what: str, found: object, remedy: str):
        super().__init__(" ".join(f"{what}: {found}. {remedy}".split()))


def choose(what: str, name: str, known: Iterable[str], hidden: Iterable[str] = ()) -> str:
    """The one of `known` or `hidden` that `name` is; else a UserError with the near known names.

    An accent may be a letter of its own or a part of one: who types it cannot tell. Case is ignored
    to find what is near: CIFAR10 is nearest to cifar10.
    """
    known = list(known)
    if name in (*known, *hidden):
        return name
    composed = {unicodedata.normalize("NFC", one): one for one in known}
    if (typed := unicodedata.normalize("NFC", str(name))) in composed:
        return composed[typed]
    folded = {one.lower(): one for one in known}
    near = [folded[one] for one in difflib.get_close_matches(str(name).lower(), folded, n=2)]
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
    raise UserError(f"Unknown {what}", f'"{name}"', remedy)


def brief(error: Exception) -> str:
    """What an error says, without the names that TensorFlow's graph has for it."""
    said = re.sub(r"\{\{.*?\}\} ?| \[Op:.*", "", str(error).strip().split("\n")[0])
    return said[:120]
