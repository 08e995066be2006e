"""JSON that can be kept and written again: finite numbers, and no deeper than anybody needs."""

import json
import math
from collections.abc import Iterable
from functools import partial
from typing import Any

DEEPEST = 100

dumps = partial(json.dumps, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """What ``text`` says; a ``ValueError`` when it is malformed, not finite or too deep."""
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    _check_depth(value)
    return value


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no number of JSON")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise ValueError("the JSON is nested too deeply")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
