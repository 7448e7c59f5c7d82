"""Fill the hidden part of a picture with a trained model; the rest of it stays as it is.

mgconv inpaint --run=runs/faces --image=photo.jpg --mask=mask.png --num=4
mgconv inpaint --run=runs/faces --image=photo.jpg --mask=mask.png --num=1 --out=filled.png

White in the mask hides, black shows; in a mask of one color what is opaque hides. A picture of any
size is worked on at the model's size, as a square around the hidden part; the filled part is put
back at the picture's own size. A picture's transparency is kept.
"""

from pathlib import Path

from absl import flags

from mgconv.cli.shared.checks import check_run, place_of_results
from mgconv.cli.shared.flags import define_path
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    define_path("image", None, "picture to fill, of any size", flag_values=values)
    define_path("mask", None, "picture of that size, white or opaque hides", flag_values=values)
    flags.DEFINE_integer("num", 4, "number of versions to make", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the chains", 0, flag_values=values)
    define_path("out", None, "folder of the pictures, or a name that ends in .png; else the run's "
                "samples/", flag_values=values)  # fmt: skip


def run(values) -> None:
    """Writes IMAGE-filled.png, or of several versions IMAGE-filled-0.png, ..., and their names."""
    import numpy as np

    from mgconv.datasets.decoding import read_picture
    from mgconv.evaluation.inpainting import check_mask, hidden_by, inpaint_picture
    from mgconv.io.images import save_png

    folder, image, mask, num, seed, out = (values[name].value for name in (
        "run", "image", "mask", "num", "seed", "out"))  # fmt: skip
    channels = check_run(folder, "inpaint")[1]["channels"]
    for name, path in (("image", image), ("mask", mask)):
        if path is None:
            raise UserError(f"--{name} is missing", "no picture", "--help says what to give.")
    place = place_of_results(out, folder, f"{Path(image).stem}-filled")
    pixels, drawn = read_picture(image, channels + 1), read_picture(mask, 2)
    if (pixels[..., -1] == 255).all():
        pixels = pixels[..., :-1]
    visible = ~hidden_by(drawn)
    check_mask(visible[np.newaxis], (1, *pixels.shape), drawn)
    start_tensorflow()
    import mgconv
    from mgconv.langevin import derived_seed

    system = mgconv.load(Path(folder))
    for index in range(num):
        path = f"{place}-{index}.png" if num > 1 else f"{place}.png"
        own = derived_seed(seed, index)
        save_png(path, inpaint_picture(system, pixels, visible, own))
        print(path, flush=True)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
