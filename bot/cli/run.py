"""``secmaster-bot run``: the bot itself."""

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from bot.cli.process import refuse, run_to_end, stop_at_signal

if TYPE_CHECKING:
    from bot.policy.config import Config
    from bot.runtime.timeouts import Timeouts
    from bot.settings import Settings


def run() -> None:
    """Run the bot with the settings of the environment and .env."""
    from bot.logs import open_log
    from bot.policy.config import ConfigError
    from bot.policy.config import load as load_policy
    from bot.settings import SettingsError
    from bot.settings import load as load_settings

    # By default it would end the process, and systemd takes that for a clean end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    open_log()
    try:
        settings = load_settings()
        open_log(settings.log_level)
        config = load_policy(settings.bot_config, required=settings.names_policy)
    except (SettingsError, ConfigError) as error:
        refuse(str(error))
    if settings.unused_proxy:
        logging.getLogger("bot").warning(settings.unused_proxy)
    if not config.rules:
        logging.getLogger("bot").warning(
            "%s allows nobody anything, not even to read", settings.bot_config
        )
    run_to_end(serve(settings, config))


async def serve(settings: "Settings", config: "Config", timeouts: "Timeouts | None" = None) -> None:
    """Run the bot until SIGINT or SIGTERM; SIGHUP reads policy and secrets again.

    Raises NameInUse if another process takes its name, while the database is away.
    """
    from bot.app import App
    from bot.store import NameInUse

    log, loop = logging.getLogger("bot"), asyncio.get_running_loop()
    changed = asyncio.Event()  # while it starts, what it has read already may be replaced
    loop.add_signal_handler(signal.SIGHUP, changed.set)
    async with App(settings, config, timeouts) as app:
        loop.add_signal_handler(signal.SIGHUP, app.reload)
        if changed.is_set():
            app.reload()
        # It listens already; only this line waits for what the first read tells.
        state = {"socket_mode": settings.socket_mode, "secmaster": await app.read_secmaster()}
        stop_at_signal(app.stopped)  # whoever reads that it is ready may end it at once
        log.info("ready", extra={"url": app.url} | state)
        await app.stopped.wait()
        log.info("stopping")
    if app.lost_name:
        raise NameInUse(settings.bot_replica)
