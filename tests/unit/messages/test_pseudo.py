"""Whatever renders says it in its reader's language: tried in one that nobody speaks.

Every public function of ``bot.messages`` that is given a catalogue is called, with whatever values
its parameters may have. ``pytest tests/unit/messages/test_pseudo.py --runxfail -k lists`` shows all
that the module of lists has not from the catalogue.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

import bot.messages
from bot.messages import Message, RenderContext
from bot.messages.catalogue import Catalogue
from bot.sandbox.slack.blocks import check_blocks, check_view
from tests.support import pseudo
from tests.support.examples import examples
from tests.support.not_converted import NOT_CONVERTED
from tests.support.values import values

# All faults of a function are shown at once: none of them is made smaller first.
EXAMPLES = examples(
    80,
    phases=(Phase.generate,),
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def render_functions() -> list[Any]:
    """Return every public function that is given a catalogue, as a parameter of tests."""
    params = []
    for info in pkgutil.iter_modules(bot.messages.__path__):
        module = importlib.import_module(f"bot.messages.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_") or function.__module__ != module.__name__:
                continue
            if not {Catalogue, RenderContext}.isdisjoint(get_type_hints(function).values()):
                marks = pytest.mark.xfail if info.name in NOT_CONVERTED else ()
                params.append(pytest.param(function, id=f"{info.name}.{name}", marks=marks))
    return params


def arguments(function: Callable[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return what a function may be called with, by the types of its parameters."""
    hints = get_type_hints(function)
    return st.fixed_dictionaries(
        {name: values(hints[name], name) for name in inspect.signature(function).parameters}
    )


def check_limits(rendered: Any) -> None:
    """Assert that Slack takes a message or a view."""
    if isinstance(rendered, Message):
        assert 0 < len(rendered.payload["text"].strip()) <= 4000
        check_blocks(rendered.payload.get("blocks", []))
    elif isinstance(rendered, dict):
        check_view(rendered, rendered["type"])


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("function", render_functions())
def test_all_words_are_from_the_catalogue_and_fit(function: Callable[..., Any]) -> None:
    faults: set[str] = set()

    @EXAMPLES
    @given(arguments(function))
    def render(chosen: dict[str, Any]) -> None:
        rendered = function(**chosen)
        check_limits(rendered)
        faults.update(pseudo.faults(rendered))

    render()
    assert not faults, "\n".join(sorted(faults))
