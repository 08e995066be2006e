"""How many examples hypothesis tries: a quarter in `make test`, all of them in `make test-all`."""

import os
from typing import Any

from hypothesis import settings

ALL = os.environ.get("EXAMPLES") == "all"


def examples(number: int, **options: Any) -> settings:
    """Try so many examples where all are asked for; none of them has a deadline of its own.

    ``options`` are further settings of hypothesis.
    """
    return settings(max_examples=number if ALL else number // 4, deadline=None, **options)
