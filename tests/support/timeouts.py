"""How long the bot lets things take in tests."""

from bot.runtime.timeouts import Timeouts

PATIENCE = 20  # seconds, where a machine that has other things to do may be slow
# Long enough for a test's trouble to pass, short enough to be waited for.
QUICK_TIMEOUTS = Timeouts(
    pauses=(0.05,) * 40,
    settle=0.14,
    render_interval=0.05,
    post_interval=0.01,
    takeover=0,
    before_ack=PATIENCE,
    optional=PATIENCE,
)
