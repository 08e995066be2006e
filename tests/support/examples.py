"""How many examples hypothesis tries: a quarter in `make test`, half of them in `make test-all`.

All of them with EXAMPLES=all, as in the project's CI.
"""

import os
from typing import Any

from hypothesis import settings

PART = {"half": 2, "all": 1}.get(os.environ.get("EXAMPLES", ""), 4)


def examples(number: int, **options: Any) -> settings:
    """Try so many examples, or a part of them; none of them has a deadline of its own.

    ``options`` are further settings of hypothesis.
    """
    return settings(max_examples=number // PART, deadline=None, **options)
