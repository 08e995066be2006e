"""How many examples hypothesis tries: a quarter of them, or all of them with EXAMPLES=all."""

import os
from typing import Any

from hypothesis import settings

PART = 1 if os.environ.get("EXAMPLES") == "all" else 4


def examples(number: int, **options: Any) -> settings:
    """Try so many examples, or a part of them; none of them has a deadline of its own.

    ``options`` are further settings of hypothesis.
    """
    return settings(max_examples=number // PART, deadline=None, **options)
