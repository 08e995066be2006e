"""Whatever renders says it in its reader's language: tried in one that nobody speaks.

Every public function of ``bot.messages`` that is given a catalogue is called, with whatever values
its parameters may have. ``pytest tests/unit/messages/test_pseudo.py -k lists`` shows all that the
module of lists has not from the catalogue.
"""

import importlib
import inspect
import pkgutil
import traceback
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

import bot.messages
from bot.messages import Message, RenderContext
from bot.messages.catalogue import Catalogue
from bot.sandbox.slack.blocks import check_blocks, check_view
from tests.support import accessibility, pseudo
from tests.support.examples import examples
from tests.support.values import values

# All faults of a function are shown at once: none of them is made smaller first.
EXAMPLES = examples(
    40,
    phases=(Phase.generate,),
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
WORDLESS = {"view_fingerprint"}  # what is returned is not for people


def render_functions() -> list[Any]:
    """Return every public function that is given a catalogue, as a parameter of tests."""
    params = []
    for info in pkgutil.iter_modules(bot.messages.__path__):
        module = importlib.import_module(f"bot.messages.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_") or function.__module__ != module.__name__ or name in WORDLESS:
                continue
            if not {Catalogue, RenderContext}.isdisjoint(get_type_hints(function).values()):
                params.append(pytest.param(function, id=f"{info.name}.{name}"))
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
def test_all_words_are_from_the_catalogue_and_fit_and_can_be_heard(
    function: Callable[..., Any],
) -> None:
    faults: set[str] = set()

    @EXAMPLES
    @given(arguments(function))
    def render(chosen: dict[str, Any]) -> None:
        try:
            rendered = function(**chosen)
            check_limits(rendered)
        except Exception as error:  # noqa: BLE001 - whatever it is, its arguments say too much
            place = traceback.extract_tb(error.__traceback__)[-1]
            faults.add(
                f"{type(error).__name__}: {error} {vars(error)} ({place.filename}:{place.lineno})"
            )
        else:
            faults.update([*pseudo.faults(rendered), *accessibility.faults(rendered)])

    render()
    assert not faults, "\n".join(sorted(faults))
