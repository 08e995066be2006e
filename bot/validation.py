"""Say what pydantic finds wrong with a file or with settings in the words of whoever wrote them.

Repeats no value: it may be a secret. Sentences of our own validators pass as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

IN_TOML = ", without quotes"  # which the environment knows nothing of
WHOLE_NUMBER = f"write a whole number{IN_TOML}"
NUMBER = f"write a number{IN_TOML}"
YES_OR_NO = f"write true or false{IN_TOML}"
TEXT = "write a text in quotes"
LIST = 'write a list, such as ["…"]'
TABLE = "write a table, such as { key = … }"

Sentence = str | Callable[[Mapping[str, Any]], str]

# By pydantic's name of an error; a function is given what pydantic says of the limits.
# https://docs.pydantic.dev/latest/errors/validation_errors/
SENTENCES: dict[str, Sentence] = {
    "extra_forbidden": "there is no such key",
    "missing": "is missing",
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_parsing_size": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": "write a number that has an end",
    "bool_type": YES_OR_NO,
    "bool_parsing": YES_OR_NO,
    "string_type": TEXT,
    "string_sub_type": TEXT,
    "path_type": TEXT,
    "tuple_type": LIST,
    "list_type": LIST,
    "dict_type": TABLE,
    "model_type": TABLE,
    "model_attributes_type": TABLE,
    "enum": lambda limits: f"write {limits['expected']}",
    "literal_error": lambda limits: f"write {limits['expected']}",
    "greater_than_equal": lambda limits: f"must be {limits['ge']} or more",
    "less_than_equal": lambda limits: f"must be {limits['le']} or less",
    "string_too_short": lambda limits: f"must be {_characters(limits['min_length'])} or longer",
    "string_too_long": lambda limits: f"must be {_characters(limits['max_length'])} or shorter",
    "string_pattern_mismatch": lambda limits: f"must have the form {limits['pattern']}",
    "too_short": "an empty list covers nothing",
}


def sentence(detail: ErrorDetails) -> str:
    """Return what is wrong, of one of a ValidationError's ``errors()``."""
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    words = SENTENCES.get(detail["type"], "this can't be used here")
    return words if isinstance(words, str) else words(detail.get("ctx", {}))


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"
