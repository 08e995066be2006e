"""The rules for rich text: words whose structure and looks are given as data.

https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from bot.sandbox.slack.rules import Rule, anything, flag, listed, number, shape, text, typed, word

LOOKS: dict[str, Rule] = dict.fromkeys(
    (
        "bold",
        "italic",
        "strike",
        "underline",
        "code",
        "highlight",
        "client_highlight",
        "unlink",
    ),
    flag,
)
WORDS = text(3000)
NAME = text(255)


def inline(needs: dict[str, Rule], may: dict[str, Rule] | None = None) -> Rule:
    """A part of a line, with its looks."""
    return shape({"type": anything, **needs}, {"style": shape({}, LOOKS), **(may or {})})


INLINE = typed(
    {
        "text": inline({"text": WORDS}),
        "link": inline({"url": WORDS}, {"text": WORDS, "unsafe": flag}),
        "user": inline({"user_id": NAME}),
        "usergroup": inline({"usergroup_id": NAME}),
        "channel": inline({"channel_id": NAME}),
        "broadcast": inline({"range": word("here", "channel", "everyone")}),
        "emoji": inline({"name": NAME}, {"unicode": NAME, "skin_tone": number(1, 6)}),
        "color": inline({"value": NAME}),
        "date": inline(
            {"timestamp": number(0, 10**10), "format": NAME}, {"url": WORDS, "fallback": WORDS}
        ),
    }
)
LINE = {"type": anything, "elements": listed(INLINE, 1000, 0)}
BORDER = {"border": number(0, 1)}
SECTION = shape(LINE)
LIST = shape(
    {
        "type": anything,
        "style": word("bullet", "ordered"),
        "elements": listed(typed({"rich_text_section": SECTION}), 1000, 0),
    },
    BORDER | {"indent": number(0, 8), "offset": number(0, 10**6)},
)
PARTS = listed(
    typed(
        {
            "rich_text_section": SECTION,
            "rich_text_list": LIST,
            "rich_text_preformatted": shape(LINE, BORDER | {"language": NAME}),
            "rich_text_quote": shape(LINE, BORDER),
        }
    ),
    100,
)
RICH_TEXT = shape({"type": anything, "elements": PARTS}, {"block_id": NAME})
