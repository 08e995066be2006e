"""End a command as an operator expects: at a signal, with an exit code, and never in a traceback.

Exit code 0 is success, 1 a check that failed, 2 a command that can't be carried out until somebody
has mended something, and 75 one that may well be carried out a moment later, since Slack or the
database could not be reached.
"""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NoReturn

import typer

REFUSED = 2
MAY_PASS = 75  # EX_TEMPFAIL of sysexits.h


def refuse(message: str, exit_code: int = REFUSED) -> NoReturn:
    """Print the message to standard error and end the command."""
    typer.echo(message, err=True)
    raise typer.Exit(exit_code)


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end; an error that kept it from starting is refused in a sentence."""
    from aiohttp import ClientError
    from slack_sdk.errors import SlackApiError
    from sqlalchemy.exc import SQLAlchemyError

    from bot.app import StartError
    from bot.domain.slack import code_text
    from bot.slack.client import code_of
    from bot.slack.session import NotConnected, unreachable
    from bot.store import NameInUse, UnsupportedDatabase, why_unusable

    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(work)
    except SlackApiError as error:
        refuse(f"Slack refused: {code_text(code_of(error))}. Run `secmaster-bot doctor`.", MAY_PASS)
    except (ClientError, TimeoutError) as error:
        sentence = f"{unreachable(error)}. Run `secmaster-bot doctor`."
        stays = isinstance(error, NotConnected) and not error.failure.may_pass
        refuse(sentence, REFUSED if stays else MAY_PASS)
    except SQLAlchemyError as error:
        reason = why_unusable(error)
        refuse(f"DATABASE_URL can't be used: {reason}.", MAY_PASS if reason.may_pass else REFUSED)
    except NameInUse as error:
        refuse(
            f"A bot named {error} is running on this database already. End it, or give this one "
            "another BOT_REPLICA."
        )
    except (StartError, UnsupportedDatabase) as error:
        refuse(str(error))
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        refuse(f"{file}{error.strerror or error}.")


def stop_at_signal(stopped: asyncio.Event) -> None:
    """Have SIGINT and SIGTERM set an event, and no longer end the process."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)


async def until_stopped() -> None:
    """Wait for SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    stop_at_signal(stopped)
    await stopped.wait()
