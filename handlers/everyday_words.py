"""Recognise what people say to a bot that is no command: a greeting, thanks, "what is waiting?".

Knows no command but by the words that a phrase stands for.
"""

import re
import unicodedata
from enum import StrEnum

from handlers.parsing import QUOTES, unescape

LONGEST = 200  # characters that are looked at: what is longer is no greeting
FIRST_TONE, LAST_TONE = "\U0001f3fb", "\U0001f3ff"
SKIN_TONE = re.compile(r":skin-tone-\d:")
INNER_MARKS = ":'+-_"  # of "what's", of :+1: and of :thumbs-up:


class Talk(StrEnum):
    """What is said that asks for nothing."""

    GREETING = "greeting"
    THANKS = "thanks"


GREETINGS = frozenset(
    {"hi", "hello", "hey", "hiya", "howdy", "morning", "👋", ":wave:"}
    | {"你好", "您好", "嗨", "早", "早上好", "大家好"}
)
THANKS = frozenset(
    {"thanks", "thx", "thank", "ty", "tx", "cheers", "great", "perfect", "nice", "cool"}
    | {"谢谢", "谢谢你", "谢谢您", "多谢", "感谢"}
    | {"👍", "👌", "🙏", "❤", "🎉"}
    | {":+1:", ":thumbsup:", ":thumbs_up:", ":ok_hand:", ":pray:", ":heart:", ":tada:"}
)
# Words that stand beside a greeting or thanks and ask for nothing.
FILLERS = frozenset(
    {"there", "all", "team", "bot", "everyone", "again", "so", "much", "very", "many", "a", "lot"}
    | {"you", "your", "for", "that", "this", "the", "it", "help", "good", "ok", "okay"}
    | {"day", "afternoon", "evening", "night", "how", "are", "doing"}
)
# What people ask in other words than those of the command that answers it, which follow.
WAITING = (
    *("waiting", "pending", "queue", "inbox", "what waits", "what is waiting", "what's waiting"),
    *("whats waiting", "what is pending", "what's pending", "what is open", "what's open"),
)
PHRASES = {
    **dict.fromkeys(WAITING, "task list"),
    **dict.fromkeys(("mine", "my tasks", "what is mine", "what's mine"), "task list mine"),
    **dict.fromkeys(("overdue", "what is overdue", "what's overdue"), "task list overdue"),
    **dict.fromkeys(("on call", "who is on call", "who's on call", "whos on call"), "oncall"),
    **dict.fromkeys(("on it", "i'm on it", "im on it", "i am on it", "taking it"), "claim"),
    **dict.fromkeys(("who am i", "what may i do", "what can i do"), "whoami"),
    **dict.fromkeys(("help me", "commands", "what can you do", "how does this work"), "help"),
}
SEARCHES = frozenset({"search", "find"})


def everyday(text: str) -> str:
    """Return words in small letters, without punctuation, skin tones and the marks of emoji."""
    text = SKIN_TONE.sub("", unescape(text[:LONGEST])).translate(QUOTES).casefold()
    letters = (
        letter if letter in INNER_MARKS or unicodedata.category(letter)[0] not in "PZC" else " "
        for letter in text
        if unicodedata.category(letter)[0] != "M" and not FIRST_TONE <= letter <= LAST_TONE
    )
    words = ("".join(letters)).split()
    return " ".join(filter(None, (word.strip("'-_") for word in words)))


def talk(text: str) -> tuple[Talk | None, str]:
    """Return what a text says before anything else, None for nothing, and the words after that.

    A text of greetings, thanks and their usual company alone has no words after that.
    """
    words = everyday(text).split()
    courtesies = [word for word in words if word in GREETINGS or word in THANKS]
    if len(text) > LONGEST or not courtesies:
        return None, text
    first = Talk.THANKS if courtesies[0] in THANKS else Talk.GREETING
    asks_for_help = first is Talk.GREETING and "help" in words
    if set(words) <= GREETINGS | THANKS | FILLERS and not asks_for_help:
        return first, ""
    head, _, rest = text.strip().partition(" ")
    if everyday(head) in GREETINGS and rest.strip():
        return first, rest.strip()
    return None, text
