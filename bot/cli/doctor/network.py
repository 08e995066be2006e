"""Check by which way the services are reached."""

from bot.cli.doctor.results import Result, note, ok
from bot.cli.doctor.subject import Subject


async def check_network(subject: Subject) -> list[Result]:
    """Say by which way each service is reached, and of a proxy that nothing uses."""
    settings = subject.settings
    ways = {
        "SecMaster": settings.secmaster_network.route(settings.endpoint),
        "Slack": settings.slack_network.route(settings.slack_api_url),
    }
    sentences = [
        f"{name} through {route.proxy.url}" if route.proxy else f"{name} straight"
        for name, route in ways.items()
    ]
    notes = [note(settings.unused_proxy)] if settings.unused_proxy else []
    return [ok(", ".join(sentences)), *notes]
