"""JSON that can be stored and written again: finite numbers, and a limited depth."""

import json
import math
from functools import partial
from typing import Any

DEEPEST = 100

dumps = partial(json.dumps, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """Parse JSON, or raise ``ValueError`` if it is malformed, not finite or too deep."""
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return value
    raise ValueError("the JSON is nested too deeply")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no number of JSON")
    return value


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
