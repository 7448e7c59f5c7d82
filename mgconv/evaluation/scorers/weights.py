"""Published weights of scorers: where they are, and the SHA-256 that they are known by."""

import os
from dataclasses import dataclass
from pathlib import Path

from mgconv.errors import UserError


@dataclass(frozen=True)
class Weights:
    """A file of weights that others publish."""

    url: str
    sha256: str  # of the file; for MobileNet, of the arrays in it

    def find(self, path: str | os.PathLike | None) -> Path:
        """The path of a file; a UserError where there is none."""
        remedy = f"Fetch {self.url} and give it by --scorer_path, or give --scorer_download."
        return existing_file(path, remedy)

    def check(self, path: Path, found: str, expected: str | None) -> str:
        """The SHA-256 that was found, if it is the expected one or any will do; or a UserError."""
        if expected is not None and found != expected.lower():
            remedy = f"It is {self.url}. Where you trust this one, give --scorer_sha256={found}."
            raise UserError(f"{path} is not the expected file", f"SHA-256 {found}", remedy)
        return found


def existing_file(path: str | os.PathLike | None, remedy: str) -> Path:
    """The file with a scorer's weights; a UserError with that remedy where it is missing."""
    if path is None or not Path(path).is_file():
        raise UserError("The scorer's weights are missing", path or "no path given", remedy)
    return Path(path)


# Four public repositories give this SHA-256 for this file, OpenAI's copy for guided-diffusion. It
# has 95,673,916 bytes, as the file in the archive of 2015 has: http://download.tensorflow.org/
# models/image/imagenet/inception-2015-12-05.tgz. Nobody gives a SHA-256 for that archive.
INCEPTION = Weights(
    "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/"
    "classify_image_graph_def.pb",
    "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6",
)
# As pytorch-fid's and torch-fidelity's users give it; the file's name has its first eight digits.
TORCH = Weights(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
# Keras's own file of MobileNet 0.75 224. Nobody gives a SHA-256 of the file, so it is that of the
# arrays, float32, in the network's order. It was computed from a copy of them in an .npz.
MOBILENET = Weights(
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
    "mobilenet_7_5_224_tf.h5",
    "d1775b21b9615876ea5721ad8d99caf8b7525f14e18ae6f6505b0f0ae95e0841",
)
