"""The page of `mgconv demo`, laid out by gradio; what is done on it is in `playing`."""

import contextlib
import html
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from mgconv.errors import UserError
from mgconv.recipes import TITLES
from mgconv.reporting.demo import playing
from mgconv.reporting.pictures import Model

HOST = "127.0.0.1"  # this machine alone
MOST_BYTES = 20 * 2**20  # of a file that is sent to the page
MOST_WAITING = 8  # requests in the queue; one is worked on at a time
MOST_OPEN = 8  # pages whose picture and chains are kept
MOST_SEED = 2**31 - 1
BUTTONS: Any = ["download", "fullscreen"]  # of pictures: none that shares them with others
PAINT = "#ff2d95"  # of strokes: a color that photographs lack

QUEUED: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "model"}


@contextlib.contextmanager
def served(system: Model, port: int) -> Iterator[str]:
    """The page at its address, until the block ends; what was sent to it is removed then.

    Raises:
        UserError: the port is taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # it would call home
    with tempfile.TemporaryDirectory(prefix="mgconv-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # it reads both when it is imported
        page = build(system)
        try:
            page.launch(
                server_name=HOST, server_port=port, max_file_size=MOST_BYTES, share=False,
                inbrowser=False, mcp_server=False, ssr_mode=False, enable_monitoring=False,
                run_history=False, footer_links=[], state_session_capacity=MOST_OPEN,
                prevent_thread_lock=True, quiet=True,
            )  # fmt: skip
        except OSError:
            remedy = f"Give another, as --port={port + 1}."
            raise UserError("The port is taken", port, remedy) from None
        try:
            yield f"http://{HOST}:{port}"
        finally:
            page.close(verbose=False)


def build(system: Model):
    """The page of a model, a gradio.Blocks."""
    import gradio as gr

    config, names = system.config, system.class_names
    sizes = " to ".join(map(str, (config.learned_sizes[0], config.size)))
    with gr.Blocks(title="mgconv") as page:
        gr.Markdown(f"## {TITLES[config.method]}, {config.dataset}, {sizes} pixels")
        choices = [(names[label], label) for label in system.labels]
        first = choices[0][1] if choices else None
        label = gr.Dropdown(choices, value=first, label="Class", visible=bool(choices))
        with gr.Tab("Fill holes"):
            _fill_holes(system, label)
        with gr.Tab("Walk along chains"):
            _walk_along_chains(system, label)
    return page.queue(max_size=MOST_WAITING, default_concurrency_limit=1)


def _fill_holes(system: Model, label: Any) -> None:
    import gradio as gr

    picture = gr.State()  # as it was opened; the editor's own copy is another size or quality
    with gr.Row():
        with gr.Column():
            file = gr.File(label="Picture, PNG or JPEG", height=90)
            draw = gr.Button("Take a sample of the model instead")
            editor = gr.ImageEditor(
                label="Paint over what is to be filled", sources=(), transforms=(), layers=False,
                brush=gr.Brush(20, colors=[PAINT], color_mode="fixed"), format="png", height=520,
            )  # fmt: skip
        with gr.Column():
            num = gr.Slider(1, playing.MOST_FILLINGS, 4, step=1, label="Fillings")
            seed = _seed()
            fill = gr.Button("Fill", variant="primary")
            gallery = gr.Gallery(
                label="Fillings", format="png", columns=2, height=520, buttons=BUTTONS
            )

    def take(found):
        return found, playing.shown(found)

    def open_file(path):
        with _on_the_page():
            return take(playing.opened(path, playing.model_of(system, None).shape[-1]))

    def draw_one(label, seed):
        with _on_the_page():
            return take(playing.drawn(playing.model_of(system, label), seed))

    def fill_it(label, picture, edited, num, seed):
        with _on_the_page():
            if picture is None:
                raise UserError("There is no picture", "nothing opened", "Open one.")
            hidden = playing.painted(edited["layers"], picture)
            done = []
            for filled in playing.fillings(
                playing.model_of(system, label), picture, hidden, num, seed
            ):
                done.append(playing.shown(filled))
                yield done

    file.upload(open_file, file, [picture, editor], **QUEUED)
    draw.click(draw_one, [label, seed], [picture, editor], **QUEUED)
    fill.click(fill_it, [label, picture, editor, num, seed], gallery, **QUEUED)


def _walk_along_chains(system: Model, label: Any) -> None:
    import gradio as gr

    frames = gr.State([])
    with gr.Row():
        num = gr.Slider(1, playing.MOST_CHAINS, playing.MOST_CHAINS, step=1, label="Chains")
        seed = _seed()
    draw = gr.Button("Draw", variant="primary")
    place = gr.Slider(0, 1, 0, step=1, label="Along the chains, from colors to images")
    image = gr.Image(label="Chains", format="png", interactive=False, buttons=BUTTONS)

    def draw_them(label, num, seed):
        with _on_the_page():
            found = playing.walk(playing.model_of(system, label), num, seed)
        last = len(found) - 1
        return found, gr.Slider(maximum=last, value=last), found[last]

    def look(frames, place):
        return frames[min(int(place), len(frames) - 1)] if frames else None

    draw.click(draw_them, [label, num, seed], [frames, place, image], **QUEUED)
    sliding: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden"}
    place.input(look, [frames, place], image, queue=False, api_visibility="private", **sliding)


def _seed():
    import gradio as gr

    return gr.Number(0, precision=0, minimum=0, maximum=MOST_SEED, label="Seed")


@contextlib.contextmanager
def _on_the_page() -> Iterator[None]:
    """A mistake of the person's becomes a message on the page, and no traceback."""
    import gradio as gr

    try:
        yield
    except UserError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from None
