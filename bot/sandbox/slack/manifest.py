"""What a Slack app's manifest says of the app itself, as its people see it.

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
    """The part of a manifest that shows; the rest is read over."""

    features: Features = Features()

    @property
    def name(self) -> str:
        return self.features.bot_user.display_name

    def described(self) -> Json:
        features = self.features
        return {
            "user": BOT_USER,
            "name": self.name,
            "commands": [one.model_dump() for one in features.slash_commands],
            "shortcuts": [one.model_dump() for one in features.shortcuts],
            "home": features.app_home.home_tab_enabled,
        }


def read_manifest(manifest: Json | None) -> Manifest:
    """The manifest; without one, an app with a home and nothing else."""
    if manifest is None:
        return Manifest(features=Features(app_home=AppHome(home_tab_enabled=True)))
    return Manifest.model_validate(manifest)
