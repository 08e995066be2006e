"""The names of all settings, as an operator writes them."""

from bot.settings import Settings


def setting_names() -> set[str]:
    names = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names |= {str(choice).upper() for choice in getattr(alias, "choices", [alias or name])}
    return names
