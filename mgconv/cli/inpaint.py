"""Fill the hidden part of a picture with a trained model; the rest of it stays as it is.

mgconv inpaint --run=runs/faces --image=photo.jpg --mask=mask.png --num=4

White in the mask hides, black shows. A picture of any size is worked on at the model's size, as a
square around the hidden part; the filled part is put back at the picture's own size.
"""

from pathlib import Path

from absl import flags

from mgconv.cli.checks import check_run
from mgconv.cli.program import main, start_tensorflow
from mgconv.errors import UserError


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_string("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_string("image", None, "picture to fill, of any size", flag_values=values)
    flags.DEFINE_string("mask", None, "picture of that size, white hides", flag_values=values)
    flags.DEFINE_integer("num", 4, "number of versions to make", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the chains", 0, flag_values=values)
    flags.DEFINE_string("out", "inpainted", "start of the files' names", flag_values=values)


def run(values) -> None:
    """Writes OUT-0.png, OUT-1.png, ..."""
    import numpy as np

    from mgconv.datasets.decoding import read_picture
    from mgconv.io.images import save_png

    channels = check_run(values["run"].value, "inpaint")[1]["channels"]
    for name in ("image", "mask"):
        if values[name].value is None:
            raise UserError(f"--{name} is missing", "no picture", "--help says what to give.")
    pixels = read_picture(values["image"].value, channels)
    hidden = read_picture(values["mask"].value, 1) >= 128
    start_tensorflow()
    import mgconv
    from mgconv.evaluation.inpainting import check_mask, inpaint_picture

    check_mask(~hidden[np.newaxis], (1, *pixels.shape))
    system = mgconv.load(Path(values["run"].value))
    for index in range(values["num"].value):
        done = inpaint_picture(system, pixels, ~hidden, values["seed"].value + index)
        path = f"{values['out'].value}-{index}.png"
        save_png(path, done)
        print(path, flush=True)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
