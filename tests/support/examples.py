"""How many examples hypothesis tries: a quarter in `make test`, all of them in `make test-all`."""

import os

from hypothesis import settings

ALL = os.environ.get("EXAMPLES") == "all"


def examples(number: int) -> settings:
    """Try so many examples where all are asked for; none of them has a deadline of its own."""
    return settings(max_examples=number if ALL else number // 4, deadline=None)
