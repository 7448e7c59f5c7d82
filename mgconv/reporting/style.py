"""How every plot looks; the one place that says so."""

from typing import Any

STYLE: dict[Any, Any] = {  # settings of matplotlib that `pictures.to_picture` plots by
    "axes.titlesize": 8, "axes.labelsize": 7, "xtick.labelsize": 6, "ytick.labelsize": 6,
    "legend.fontsize": 6, "legend.frameon": False, "lines.linewidth": 1.0,
    "axes.spines.top": False, "axes.spines.right": False, "image.cmap": "gray",
    "image.interpolation": "nearest",
}  # fmt: skip

NAMES: dict[str, Any] = {"fontsize": 5}  # of many names along an axis

HEALTHY: dict[str, Any] = {"color": "tab:green", "alpha": 0.25}  # a band of healthy values
