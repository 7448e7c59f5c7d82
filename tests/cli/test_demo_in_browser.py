"""`mgconv demo` in a real browser, as a person uses it: `make browser`, some minutes.

MGCONV_BROWSER is the browser's path. MGCONV_SCREENSHOTS, where given, is a folder for pictures.
"""

import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from programs import ROOT

BROWSER = os.environ.get("MGCONV_BROWSER", "")
SCREENSHOTS = os.environ.get("MGCONV_SCREENSHOTS", "")
RUN = ROOT / "runs" / "demo"
TRAIN = ["train", "--dataset=photos", "--scale=quick", "--num_updates=150", f"--out={RUN}"]
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-sync", "--disable-component-update", "--enable-unsafe-swiftshader",
]  # fmt: skip
PATIENCE = 120_000  # milliseconds

pytestmark = pytest.mark.skipif(not Path(BROWSER).is_file(), reason="MGCONV_BROWSER is no file")


def mgconv(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "mgconv", *words], cwd=ROOT, text=True, **options
    )


class Demo:
    """A page of the browser on a demo of its own; what it asks for, and of whom, is kept."""

    def __init__(self, browser, *words):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = mgconv("demo", f"--port={port}", *words, stdout=subprocess.PIPE)
        assert f"http://127.0.0.1:{port}; Ctrl-C" in self.process.stdout.readline()
        self.asked = []
        self.page = browser.new_page(viewport={"width": 1200, "height": 900})
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"http://127.0.0.1:{port}")
        self.own = (f"http://127.0.0.1:{port}/", f"blob:http://127.0.0.1:{port}/", "data:")
        self.tab("Fill holes")

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def open(self, file):
        self.page.locator("input[type=file]").first.set_input_files(file)

    def says(self, text):
        """Waits for a message, and takes it away."""
        self.page.get_by_text(text).first.wait_for()
        self.page.locator(".toast-close").first.click()
        self.page.get_by_text(text).first.wait_for(state="hidden")

    def paint(self):
        """A stroke through the middle of the picture, once the editor shows it."""
        canvas = self.page.locator("canvas").last
        canvas.wait_for()
        self.page.wait_for_timeout(3000)  # until the editor has fitted the picture in
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x - 50, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 50, y, steps=20)
        self.page.mouse.up()

    def pictures(self, label, num):
        """The images under a label, once there are `num`, as arrays of RGB."""
        found = self.page.locator(f".block:has(label:text-is('{label}')) img")
        found.nth(num - 1).wait_for()
        return [self.array(image.get_attribute("src")) for image in found.all()]

    def array(self, place):
        content = self.page.request.get(place).body()
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    def photograph(self, name):
        if SCREENSHOTS:
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    def end(self):
        self.page.close()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("gradio")
    with playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def demo(browser):
    """Opens demos, and ends them; none may have asked for anything elsewhere."""
    made = []

    def open_one(*words):
        made.append(Demo(browser, *words))
        return made[-1]

    yield open_one
    for one in made:
        one.end()
        assert [url for url in one.asked if not url.startswith(one.own)] == []


@pytest.fixture
def photos(demo):
    assert mgconv(*TRAIN).wait() == 0  # at once where the run is there
    return demo(f"--run={RUN}")


def photo(folder):
    """240 x 240 pixels of a photograph of scikit-learn."""
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image("china.jpg")[100:340, 180:420]
    Image.fromarray(pixels).save(folder / "photo.png")
    return pixels, folder / "photo.png"


def test_a_hole_in_a_photo_is_filled_several_times_and_the_rest_left_alone(photos, tmp_path):
    pixels, path = photo(tmp_path)
    photos.open(path)
    photos.paint()
    photos.press("Fill")
    filled = photos.pictures("Fillings", 4)
    changed = [(one != pixels).any(axis=-1) for one in filled]
    for one in changed:
        assert one[118:123, 100:140].mean() > 0.9  # under the stroke
        rows, columns = np.nonzero(one)
        assert rows.min() > 60 < columns.min()
        assert rows.max() < 180 > columns.max()
    assert len({one.tobytes() for one in filled}) == 4
    photos.page.wait_for_timeout(1000)
    photos.photograph("demo-fill")


def test_what_cannot_be_opened_or_filled_is_a_message_on_the_page(photos, tmp_path):
    photos.press("Fill")
    photos.says("There is no picture: nothing opened. Open one.")
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo(tmp_path)[1].read_bytes()[:1000])
    photos.open(broken)
    photos.says("Cannot read broken.png: broken or no picture. Give a PNG or JPEG.")
    photos.page.get_by_label("Clear").first.click()
    (tmp_path / "large.png").write_bytes(bytes(25_000_000))
    photos.open(tmp_path / "large.png")
    photos.says("exceed the maximum allowed size of 20.0 Mb")


def test_a_class_is_chosen_and_its_chains_are_walked_along(demo):
    import mgconv as package
    from mgconv.reporting.demo import playing

    digits = demo("--model=digits")
    system = package.from_pretrained("digits")
    digits.tab("Walk along chains")
    for name in ("3", "8"):
        digits.page.get_by_label("Class").click()
        digits.page.get_by_role("option", name=name, exact=True).click()
        frames = playing.walk(playing.model_of(system, int(name)), 16, 0)
        digits.press("Draw")
        shows(digits, frames[-1])
    slider = digits.page.get_by_label("Along the chains").last
    for place in (0, 1, len(frames) - 2):
        slider.fill(str(place))
        shows(digits, frames[place])
    digits.photograph("demo-walk")


def shows(demo, frame):
    """Waits until the picture of the chains is this one."""
    for _ in range(PATIENCE // 200):
        [seen] = demo.pictures("Chains", 1)
        if np.array_equal(seen, frame):
            return
        demo.page.wait_for_timeout(200)
    raise AssertionError("another picture")
