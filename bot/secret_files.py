"""Read secrets from files: ``NAME_FILE`` names the file that holds what ``NAME`` would be.

Knows neither the settings nor what is in a file; its name is never told either, since a person
may have put the secret itself there.
"""

from collections import ChainMap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource


@dataclass(frozen=True, slots=True)
class Unusable:
    """What stands in a setting's place where its file gives none: no text, so it is refused."""

    problem: str


def setting_names(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return a field's names as an operator writes them, the preferred one first."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
    return tuple(str(choice).upper() for choice in choices)


def is_secret(field: FieldInfo) -> bool:
    """Return whether a field may come from a file: a secret, or what is kept out of the repr."""
    return SecretStr in (field.annotation, *get_args(field.annotation)) or not field.repr


class SecretFiles(PydanticBaseSettingsSource):
    """Gives the secrets whose files the other sources name, such as ``SLACK_BOT_TOKEN_FILE``."""

    def __init__(self, settings: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        super().__init__(settings)
        variables = [each.env_vars for each in sources if isinstance(each, EnvSettingsSource)]
        self._variables = ChainMap(*({**each} for each in variables))

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _is_complex = self.get_field_value(field, name)
            if value is not None:
                values[key] = value
        return values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return what a field's file holds or Unusable, None where none is named, and its key."""
        names = setting_names(field_name, field)
        key = names[0] if field.validation_alias else field_name
        files = [name for name in names if self._variables.get(f"{name}_file".lower())]
        if not files or not is_secret(field):
            return None, key, False
        setting = f"{files[0]}_FILE"
        if direct := [name for name in names if self._variables.get(name.lower())]:
            problem = f"{direct[0]} and {setting} are both set: keep one of them"
            return Unusable(problem), key, False
        value = _content(setting, Path(self._variables[setting.lower()] or ""))
        return value, key, False


def _content(setting: str, file: Path) -> str | Unusable:
    """Return what a file holds, without the line break at its end."""
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return Unusable(f"{setting} names a file that is not there")
    except OSError as error:
        return Unusable(f"{setting} names a file that can't be read ({error.strerror})")
    except UnicodeDecodeError:
        return Unusable(f"{setting} names a file that is not UTF-8 text")
    except ValueError:  # a null character in the name
        return Unusable(f"{setting} does not name a file")
    text = text.removesuffix("\n").removesuffix("\r")
    return text or Unusable(f"{setting} names a file that is empty")
