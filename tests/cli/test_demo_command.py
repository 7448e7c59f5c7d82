"""What `mgconv demo` refuses before TensorFlow is imported, and where it listens."""

import pytest
from programs import program, refusal

from mgconv.errors import UserError


@pytest.mark.parametrize("given", [[], ["--run=x", "--model=digits"]])
def test_one_model_is_shown(given):
    line = refusal("demo", *given)
    assert line.endswith("Give --run=DIR, or --model=digits.")


def test_without_gradio_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(program("demo"), "start_tensorflow", lambda: pytest.fail("too late"))
    line = refusal("demo", "--model=digits")
    assert line == "The page needs gradio: not installed. Run: pip install 'mgconv[demo]'"


def test_a_run_without_chains_is_refused(monkeypatch, tiny):
    monkeypatch.setattr(program("demo"), "check_run", lambda *of: (tiny(method="dcgan"), {}))
    assert "The run in x has no chains: dcgan." in refusal("demo", "--run=x")


def test_the_page_is_for_this_machine_and_its_bounds_are_given_to_the_server(monkeypatch):
    gradio = pytest.importorskip("gradio")
    from mgconv.reporting.demo import page

    asked = {}

    class Page:
        def launch(self, **options):
            asked.update(options)
            raise OSError("taken")

    monkeypatch.setattr(page, "build", lambda system: Page())
    with pytest.raises(UserError, match="The port is taken: 7860"), page.served(None, 7860):
        pass
    assert asked["server_name"] == "127.0.0.1"
    assert asked["share"] is asked["mcp_server"] is asked["enable_monitoring"] is False
    assert 0 < asked["max_file_size"] <= 100_000_000
    assert 0 < asked["state_session_capacity"] <= 100
    assert not gradio.analytics.analytics_enabled()
