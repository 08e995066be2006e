"""A Slack app's manifest, as far as people see it: names, commands, shortcuts, home tab.

https://docs.slack.dev/reference/app-manifest
"""

from typing import Literal

from pydantic import BaseModel

from bot.sandbox.slack.workspace import BOT_USER, Json


class Command(BaseModel):
    command: str
    description: str = ""
    usage_hint: str = ""


class Shortcut(BaseModel):
    name: str
    type: Literal["message", "global"]
    callback_id: str
    description: str = ""


class AppHome(BaseModel):
    home_tab_enabled: bool = False


class BotUser(BaseModel):
    display_name: str = "SecMaster"


class Features(BaseModel):
    slash_commands: list[Command] = []
    shortcuts: list[Shortcut] = []
    app_home: AppHome = AppHome()
    bot_user: BotUser = BotUser()
    unfurl_domains: list[str] = []


class Manifest(BaseModel):
    """The visible part of a manifest; the rest is ignored."""

    features: Features = Features()

    @property
    def name(self) -> str:
        return self.features.bot_user.display_name

    def described(self) -> Json:
        """Return what the page needs of the app."""
        features = self.features
        return {
            "user": BOT_USER,
            "name": self.name,
            "commands": [command.model_dump() for command in features.slash_commands],
            "shortcuts": [shortcut.model_dump() for shortcut in features.shortcuts],
            "home": features.app_home.home_tab_enabled,
        }


def read_manifest(manifest: Json | None) -> Manifest:
    """Read a manifest; None stands for an app with a home tab and nothing else."""
    if manifest is None:
        return Manifest(features=Features(app_home=AppHome(home_tab_enabled=True)))
    return Manifest.model_validate(manifest)
