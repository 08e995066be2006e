"""Blocks as people see and use them, each drawn by itself without a page around it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from bot.domain.approvals import CallPreference
from bot.messages.home import FILTERS, Home, HomeOptions, view
from bot.sandbox.pages import HEADERS
from bot.sandbox.slack.blocks import ANY_BLOCKS, BLOCKS, MESSAGE_ONLY, MODAL_ONLY
from bot.sandbox.slack.elements import CHOICES, INPUTS, PRESSED
from bot.sandbox.slack.workspace import Json
from tests.support.browser import Open
from tests.support.samples import ENGLISH
from tests.support.slack_recorder import SlackRecorder

# A page of the same origin and policy as ours, with nothing else going on in it.
BARE = """\
<!doctype html>
<html lang="en">
<title>Blocks</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_page/shared/base.css">
<link rel="stylesheet" href="/_page/blocks/blocks.css">
"""
CUT_OFF = """() => [...document.querySelectorAll(".picker > input")]
  .filter((input) => input.scrollWidth > input.clientWidth).map((input) => input.value)"""
# What a page does with blocks: it keeps what it is told, and a press lasts until it is let go.
STAGE = """
async () => {
  const people = [{ id: "U0ALICE", name: "Alice" }, { id: "U0BOB", name: "Bob" }];
  const named = (list) => (id) => list.find((one) => one.id === id)?.name ?? null;
  const told = (kind) => (block, element, value) =>
    heard.push([kind, block.block_id ?? "", element.action_id ?? "", value]);
  window.heard = [];
  window.opened = [];
  window.open = (...given) => opened.push(given);
  window.hold = false;
  window.stage = {
    names: {
      user: named(people),
      channel: named([{ id: "C0SOC", name: "soc" }]),
      group: named([{ id: "S0SOC", name: "soc-team" }]),
    },
    owner: "stage",
    me: "U0ALICE",
    people: () => people,
    channels: () => [{ id: "C0SOC", name: "soc" }, { id: "C0ONCALL", name: "oncall" }],
    press: async (...given) => {
      told("press")(...given);
      if (hold) await new Promise((done) => (window.letGo = done));
    },
    fill: told("fill"),
    entered: () => undefined,
    errors: {},
    upload: async (file) => {
      if (file.name.endsWith(".exe")) throw new Error("not this kind");
      return { id: `F-${file.name}`, name: file.name };
    },
  };
  window.blocks = await import("/_page/blocks/blocks.js");
}
"""
DRAW = """
([given, errors]) => {
  const box = document.createElement("div");
  box.className = "blocks";
  box.append(...blocks.drawBlocks(given, { ...stage, errors }));
  document.body.replaceChildren(box);
}
"""
# The markup that a text became, without the element around it.
MARKUP = """
(texts) => texts.map((text) => {
  const box = document.createElement("div");
  box.append(blocks.drawMrkdwn(text, stage));
  return box.firstChild.innerHTML;
})
"""


@pytest.fixture
async def stage(slack: SlackRecorder, open_page: Open) -> Page:
    page = await open_page("about:blank")
    await page.route(
        f"{slack.url}/bare",
        lambda route: route.fulfill(content_type="text/html", body=BARE, headers=HEADERS),
    )
    await page.goto(f"{slack.url}/bare")
    await page.evaluate(STAGE)
    return page


async def draw(page: Page, *blocks: Any, errors: dict[str, str] | None = None) -> None:
    await page.evaluate(DRAW, [list(blocks), errors or {}])


async def heard(page: Page) -> Any:
    return await page.evaluate("heard.splice(0)")


async def markup(page: Page, *texts: str) -> Any:
    return await page.evaluate(MARKUP, list(texts))


def plain(text: str, **more: Any) -> Json:
    return {"type": "plain_text", "text": text, **more}


def mrkdwn(text: str, **more: Any) -> Json:
    return {"type": "mrkdwn", "text": text, **more}


def section(text: str = "Text", **more: Any) -> Json:
    return {"type": "section", "block_id": "b", "text": mrkdwn(text), **more}


def actions(*elements: Any) -> Json:
    return {"type": "actions", "block_id": "b", "elements": list(elements)}


def button(text: str = "Go", **more: Any) -> Json:
    return {"type": "button", "action_id": "go", "text": plain(text), **more}


def option(name: str, **more: Any) -> Json:
    return {"text": plain(name), "value": name.lower(), **more}


def question(label: str, kind: str, **more: Any) -> Json:
    block: Json = {key: more.pop(key) for key in ("optional", "hint") if key in more}
    element = {"type": kind, "action_id": "a", **more}
    return {"type": "input", "block_id": "b", "label": plain(label), "element": element, **block}


CONFIRM = {
    "title": plain("Sure?"),
    "text": mrkdwn("It *cannot* be undone."),
    "confirm": plain("Do it"),
    "deny": plain("Back"),
}
COLOURS = [option("Red", description=plain("like fire")), option("Green"), option("Blue")]


# Text.

LINK = 'target="_blank" rel="noopener noreferrer"'
SEEN = {
    "*bold* _italic_ ~gone~ `code`": (
        "<strong>bold</strong> <em>italic</em> <s>gone</s> <code>code</code>"
    ),
    "*bold _both_*": "<strong>bold <em>both</em></strong>",
    "(*in brackets*), *end*.": "(<strong>in brackets</strong>), <strong>end</strong>.",
    "2*3*4 snake_case_name": "2*3*4 snake_case_name",
    "* not * and *not\nover lines*": "* not * and *not\nover lines*",
    "`*code* &lt;b&gt;`": "<code>*code* &lt;b&gt;</code>",
    "a ```*x*\n  y``` b": "a <pre><code>*x*\n  y</code></pre> b",
    "an ```open fence": "an ```open fence",
    "before\n> one\n&gt; *two*\nafter": (
        "before<blockquote>one\n<strong>two</strong></blockquote>after"
    ),
    "&gt;&gt;&gt; all\nof it": "<blockquote>all\nof it</blockquote>",
    "• one\n- two": "• one\n- two",
    "&amp;lt; &amp; &lt;b&gt; &quot;": "&amp;lt; &amp; &lt;b&gt; &amp;quot;",
    "<https://a.example/?x=1&amp;y|label>": (
        f'<a href="https://a.example/?x=1&amp;y" {LINK}>label</a>'
    ),
    "see https://a.example/x.": f'see <a href="https://a.example/x" {LINK}>https://a.example/x</a>.',
    "<mailto:a@b.example>": f'<a href="mailto:a@b.example" {LINK}>a@b.example</a>',
    "<@U0ALICE> <@U0BOB|someone else>": (
        '<span class="mention me">@Alice</span> <span class="mention">@Bob</span>'
    ),
    "<#C0SOC|x> <!subteam^S0SOC|@x>": (
        '<span class="mention">#soc</span> <span class="mention">@soc-team</span>'
    ),
    "<!here> <@U0NOBODY>": (
        '<span class="mention me">@here</span> <span class="mention">U0NOBODY</span>'
    ),
    ":tada: :no_such_thing: 12:30:45": "🎉 :no_such_thing: 12:30:45",
}


async def test_mrkdwn_looks_as_in_slack(stage: Page) -> None:
    assert dict(zip(SEEN, await markup(stage, *SEEN), strict=True)) == SEEN


async def test_text_objects_say_what_is_markup_in_them(stage: Page) -> None:
    await draw(
        stage,
        {"type": "header", "text": plain("*A* <@U0BOB> :x:")},
        {"type": "header", "text": plain(":x:", emoji=False)},
        section("https://a.example"),
        {"type": "section", "text": mrkdwn("*b* https://a.example <@U0BOB>", verbatim=True)},
    )
    await expect(stage.get_by_role("heading")).to_have_text(["*A* <@U0BOB> ❌", ":x:"])
    await expect(stage.get_by_role("link")).to_have_count(1)
    await expect(stage.locator(".mention")).to_have_text(["@Bob"])


DATES = {
    "{date_num} {time_secs}": "2026-11-21 14:30:05",
    "{date}": "21 November 2026",
    "{date_short}": "21 Nov 2026",
    "{date_long} at {time}": "Saturday, 21 November 2026 at 14:30",
    "{ago}": "2 days ago",
    "{constructor} {x}": "{constructor} {x}",
}
AT = 1_795_267_805  # 2026-11-21 14:30:05 in Berlin
DAY = 86_400


async def test_dates_are_the_readers(stage: Page) -> None:
    await stage.clock.set_fixed_time(datetime.fromtimestamp(AT + 2 * DAY, UTC))
    tokens = [f"<!date^{AT}^{form}|fallback>" for form in DATES]
    await draw(stage, *[section(token) for token in tokens])
    moments = stage.get_by_role("time")
    await expect(moments).to_have_text(list(DATES.values()))
    await expect(moments.first).to_have_attribute("datetime", "2026-11-21T13:30:05.000Z")
    title = await moments.first.get_attribute("title")
    assert title is not None
    assert title.startswith("Saturday, 21 November 2026")

    near = [f"<!date^{AT + days * DAY}^{{date_short_pretty}}|x>" for days in (0, 1, 2, 3)]
    near.append(f"<!date^{AT}^{{time}}^https://a.example/|x>")
    near += ["<!date^99999999999999^{date}|never>", "<!date^x^{date}|y>"]
    await draw(stage, *[section(token) for token in near])
    dates = ["21 Nov 2026", "yesterday", "today", "tomorrow", "14:30", "never"]
    await expect(stage.locator(".section")).to_have_text([*dates, "<!date^x^{date}|y>"])
    await expect(stage.get_by_role("link", name="14:30")).to_have_attribute(
        "href", "https://a.example/"
    )


AS_TEXT = [
    "<script>hacked = 1</script>",
    "<img src=x onerror=hacked=1>",
    "<javascript:hacked=1|x>",
    "<data:text/html,x|x>",
    "<@U0ALICE",
    "<@U0ALICE<@U0BOB",
    "<@u0alice; x>",
    "<!everyone else>",
    "<!subteam^|x>",
    "<!date^1^|x>",
    "<>",
    "\u202egnp.exe\u2066",
]


async def test_hostile_text_runs_nothing_and_mentions_nobody(stage: Page) -> None:
    escaped = "&lt;!channel&gt; &lt;@U0ALICE&gt; &amp;lt;!here&amp;gt;"
    await draw(stage, *[section(text) for text in [*AS_TEXT, escaped]])
    texts = stage.locator(".section .mrkdwn")
    unescaped = "<!channel> <@U0ALICE> &lt;!here&gt;"
    assert await texts.all_text_contents() == [*AS_TEXT, unescaped]
    await expect(texts.last).to_have_css("unicode-bidi", "isolate")
    assert await stage.locator(".section :not(div, span)").count() == 0
    assert await stage.locator(".mention").count() == 0
    assert await stage.evaluate("window.hacked") is None


UNITS = [
    "*",
    "_a *a ~a ",
    "*a ",
    "<",
    "<a",
    "`",
    "&gt; ",
    "[",
    ":a",
    "- - ",
    "&",
    "https://",
    "http://[",
]


async def test_long_hostile_text_comes_out_whole(stage: Page) -> None:
    for unit in UNITS:
        text = unit * (10_000 // len(unit))
        await draw(stage, {"type": "markdown", "text": f"{text}\nend"}, section(text, expand=True))
        texts = await stage.locator(".section .mrkdwn").text_content()
        assert texts == text.removeprefix("&gt; ").replace("&gt;", ">")
        assert str(await stage.locator(".rich").text_content()).endswith("end")
        assert await stage.locator("*").count() < 100


async def test_only_safe_links_are_followed(stage: Page) -> None:
    bad = "javascript:hacked=1"
    await draw(
        stage,
        {"type": "markdown", "text": f"[md]({bad}) [ok](https://ok.example/) <{bad}>"},
        {"type": "rich_text", "elements": [rich({"type": "link", "url": bad, "text": "rich"})]},
        {"type": "video", "title": plain("video"), "title_url": bad, "alt_text": "v"},
        actions(button("Bad", url=bad), button("Good", url="https://ok.example/")),
    )
    links = stage.get_by_role("link")
    await expect(links).to_have_text(["ok"])
    await stage.get_by_role("button", name="Bad").click()
    await stage.get_by_role("button", name="Good").click()
    assert await stage.evaluate("opened") == [
        ["https://ok.example/", "_blank", "noopener,noreferrer"]
    ]
    assert await heard(stage) == [["press", "b", "go", None]] * 2
    assert await stage.evaluate("window.hacked") is None


# What is only read.


def rich(*elements: Any, kind: str = "section", **more: Any) -> Json:
    return {"type": f"rich_text_{kind}", "elements": list(elements), **more}


def words(text: str, **style: Any) -> Json:
    return {"type": "text", "text": text, "style": style}


RICH = [
    rich(
        words("a", bold=True, code=True),
        words("b", italic=True, strike=True, underline=True),
        {"type": "user", "user_id": "U0ALICE"},
        {"type": "usergroup", "usergroup_id": "S0SOC"},
        {"type": "channel", "channel_id": "C0SOC"},
        {"type": "broadcast", "range": "here"},
        {"type": "emoji", "name": "odd", "unicode": "1f9ff"},
        {"type": "color", "value": "#ff0000"},
        {"type": "link", "url": "https://a.example/"},
        {"type": "date", "timestamp": AT, "format": "{date_num}"},
    ),
    rich(rich(words("one")), rich(words("two")), kind="list", style="bullet"),
    rich(rich(words("inner")), kind="list", style="ordered", indent=1, offset=3),
    rich(rich(words("three")), kind="list", style="bullet", indent=0),
    rich(words("quoted"), kind="quote"),
    rich(words("a  *b*"), kind="preformatted"),
]


async def test_rich_text_looks_as_in_slack(stage: Page) -> None:
    await draw(stage, {"type": "rich_text", "elements": RICH})
    text = stage.locator(".rich > p")
    await expect(text).to_have_text(
        "ab@Alice@soc-team#soc@here🧿#ff0000https://a.example/2026-11-21"
    )
    for selector in ("strong > code", "u > s > em"):
        await expect(text.locator(selector)).to_have_count(1)
    await expect(text.locator(".swatch")).to_have_css("background-color", "rgb(255, 0, 0)")
    await expect(stage.locator(".rich > ul > li")).to_have_text(["one", "twoinner", "three"])
    await expect(stage.locator("li > ol[start='4'] > li")).to_have_text("inner")
    await expect(stage.locator("blockquote")).to_have_text("quoted")
    await expect(stage.locator("pre")).to_have_text("a  *b*")


MARKDOWN = """\
# Title
Some **bold**, *italic*, ***both***, ~~gone~~, `co*de*` \\*not\\* <b>.

- one
  1. inner
- two
- [x] done

> quoted
> > twice

```py
x < 1
```

| A | B |
|---|--:|
| *x* | 12 |

---
"""
DRAWN = (
    "<h3>Title</h3>"
    "<p>Some <strong>bold</strong>, <em>italic</em>, <strong><em>both</em></strong>, "
    "<s>gone</s>, <code>co*de*</code> *not* &lt;b&gt;.</p>"
    '<ul><li>one<ol start="1"><li>inner</li></ol></li><li>two</li>'
    '<li class="task"><input type="checkbox" disabled="" aria-label="done">done</li></ul>'
    "<blockquote><p>quoted</p><blockquote><p>twice</p></blockquote></blockquote>"
    "<pre><code>x &lt; 1</code></pre>"
)


async def test_markdown_looks_as_written(stage: Page) -> None:
    await draw(stage, {"type": "markdown", "text": MARKDOWN})
    drawn = await stage.locator(".rich").inner_html()
    assert drawn[: len(DRAWN)] == DRAWN
    assert drawn.endswith("<hr>")
    await expect(stage.get_by_role("checkbox", name="done")).to_be_checked()
    await expect(stage.get_by_role("columnheader")).to_have_text(["A", "B"])
    await expect(stage.get_by_role("cell")).to_have_text(["x", "12"])


async def test_a_table_scrolls_in_its_own_box(stage: Page) -> None:
    head = [{"type": "raw_text", "text": f"A long heading {column}"} for column in range(20)]
    cells = [{"type": "rich_text", "elements": [rich(words("7", bold=True))]}] * 20
    columns = [{"align": "right", "is_wrapped": True}]
    await draw(stage, {"type": "table", "rows": [head, cells], "column_settings": columns})
    await expect(stage.get_by_role("columnheader")).to_have_count(20)
    await expect(stage.get_by_role("cell").first).to_have_css("text-align", "right")
    wide = "(node) => node.scrollWidth > node.clientWidth"
    assert await stage.get_by_role("region", name="Table").evaluate(wide)
    assert not await stage.locator("html").evaluate(wide)


PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


async def test_a_picture_that_is_broken_or_not_allowed_shows_its_words(stage: Page) -> None:
    async def answer(route: Route) -> None:
        body = PICTURE if route.request.url.endswith("good.svg") else "no picture"
        await route.fulfill(content_type="image/svg+xml", body=body)

    await stage.context.route(lambda url: url.startswith("https://"), answer)
    addresses = {
        "Good": "https://a.example/good.svg",
        "Broken": "https://a.example/bad.svg",
        "Plain": "http://a.example/good.svg",
        "Script": "javascript:hacked=1",
    }
    pictures = [
        {"type": "image", "image_url": url, "alt_text": alt} for alt, url in addresses.items()
    ]
    await draw(stage, *pictures)
    await expect(stage.locator(".broken")).to_have_text(["🖼 Broken", "🖼 Plain", "🖼 Script"])
    await expect(stage.get_by_role("img", name="Good")).to_have_js_property("naturalWidth", 9)


async def test_fields_stand_side_by_side_only_where_there_is_room(stage: Page) -> None:
    await draw(stage, {"type": "section", "fields": [mrkdwn("*A*\n1"), mrkdwn("*B*\n2")]})
    first, second = [stage.locator(".field").nth(at) for at in (0, 1)]
    for width, beside in ((600, True), (300, False)):
        await stage.set_viewport_size({"width": width, "height": 800})
        boxes = [await first.bounding_box(), await second.bounding_box()]
        tops = {box["y"] for box in boxes if box}
        assert (len(tops) == 1) is beside


async def test_a_long_section_is_unfolded_on_demand(stage: Page) -> None:
    await draw(stage, section("word " * 500), section("word " * 500, expand=True))
    more = stage.get_by_role("button", name="Show more")
    await expect(more).to_have_count(1)
    await expect(more).to_have_attribute("aria-expanded", "false")
    await more.click()
    await expect(stage.get_by_role("button", name="Show less")).to_be_visible()


# Everything there is, and what there is not.

PICK = {"options": COLOURS}
EXAMPLES: dict[str, Json] = {
    "button": {"text": plain("Go")},
    "overflow": PICK,
    "static_select": {"option_groups": [{"label": plain("All"), "options": COLOURS}]},
    "multi_static_select": PICK,
    "radio_buttons": PICK,
    "checkboxes": PICK,
    "number_input": {"is_decimal_allowed": False},
}
SMALL = {"type": "image", "alt_text": "t", "slack_file": {"id": "F0"}}
BODIES: dict[str, Json] = {
    "section": {"text": mrkdwn("t"), "fields": [mrkdwn("f")]},
    "header": {"text": plain("t")},
    "image": {"alt_text": "t", "slack_file": {"id": "F0"}, "title": plain("t")},
    "context": {"elements": [mrkdwn("t"), plain("t"), SMALL]},
    "actions": {"elements": [{"type": "button", "text": plain("t")}]},
    "input": {"label": plain("t"), "element": {"type": "plain_text_input"}},
    "rich_text": {"elements": RICH},
    "markdown": {"text": "t"},
    "alert": {"text": mrkdwn("t"), "level": "warning"},
    "table": {"rows": [[{"type": "raw_text", "text": "t"}]]},
    "data_table": {"rows": [[{"type": "raw_number", "value": 1.5}]] * 2, "caption": "t"},
    "container": {
        "title": plain("t"),
        "child_blocks": [{"type": "header", "text": plain("inside")}],
        "is_collapsible": True,
    },
}


def element(kind: str) -> Json:
    return {"type": kind, "action_id": kind, **EXAMPLES.get(kind, {})}


async def test_every_block_and_element_that_slack_takes_is_drawn(stage: Page) -> None:
    block_types = BLOCKS | MESSAGE_ONLY | MODAL_ONLY
    blocks = [{"type": kind, **BODIES.get(kind, {})} for kind in block_types]
    pressed = [section(accessory=element(kind)) for kind in CHOICES | PRESSED]
    inputs = [question("t", kind, **element(kind)) for kind in INPUTS]
    for drawn in (blocks, pressed, inputs):
        numbered = [{**block, "block_id": str(at)} for at, block in enumerate(drawn)]
        assert list(ANY_BLOCKS(numbered, "")) == []
        await draw(stage, *drawn)
        assert await stage.locator(".undrawn").all_text_contents() == []
        await expect(stage.locator(".blocks > [data-block-id]")).to_have_count(len(drawn))
    for kind in INPUTS:
        await expect(stage.locator(f"[data-action-id={kind}]")).to_have_count(1)
    await expect(stage.get_by_text("asks no app for options")).to_be_visible()


MALFORMED: list[Any] = [
    None,
    7,
    "text",
    [],
    {},
    {"type": None},
    {"type": "section"},
    {"type": "section", "text": "bare"},
    {"type": "section", "text": plain(cast("str", None))},
    {"type": "actions"},
    {"type": "actions", "elements": [None]},
    {"type": "context", "elements": 3},
    {"type": "header"},
    {"type": "input", "label": plain("t")},
    {"type": "rich_text", "elements": [{"type": "odd"}]},
    {"type": "rich_text", "elements": [rich({"type": "constructor"})]},
    {"type": "table", "rows": []},
    {"type": "markdown", "text": {}},
    section(accessory={"type": "static_select", "initial_option": 3, "option_groups": [1]}),
]


async def test_what_cannot_be_drawn_says_so_and_leaves_the_rest_alone(stage: Page) -> None:
    unknown = [{"type": "carousel"}, {"type": "constructor"}, {"type": "<b>"}]
    await draw(
        stage, *unknown, *MALFORMED, section("still here"), actions({"type": "odd"}, button())
    )
    texts = stage.locator(".undrawn")
    for kind in ("carousel", "constructor", "<b>"):
        await expect(texts.get_by_text(f"can't draw a “{kind}” block yet")).to_be_visible()
    await expect(texts.get_by_text("can't draw a “odd” element yet")).to_be_visible()
    await expect(stage.get_by_text("still here")).to_be_visible()
    await expect(stage.get_by_role("button", name="Go")).to_be_visible()
    await expect(stage.locator(".blocks > .undrawn")).to_have_count(len(unknown) + len(MALFORMED))


async def test_a_channel_full_of_cards_is_drawn_whole(stage: Page) -> None:
    card = [
        {"type": "header", "text": plain("Name")},
        {"type": "section", "fields": [mrkdwn(f"*Label*\n<!date^{AT}^{{time}}|x>")] * 6},
        section("```error```"),
        {"type": "context", "elements": [mrkdwn("`id`")]},
        actions(button(), {"type": "overflow", "action_id": "m", "options": COLOURS}),
    ]
    await draw(stage, *card * 500)
    await expect(stage.locator(".block")).to_have_count(2500)
    await expect(stage.locator("time")).to_have_count(3000)
    assert await stage.locator(".undrawn").count() == 0


# What is used.


async def test_a_button_waits_for_its_answer_and_is_pressed_once(stage: Page) -> None:
    await draw(
        stage, actions(button("Go", style="primary"), button("Other", accessibility_label="O"))
    )
    await stage.evaluate("hold = true")
    go = stage.get_by_role("button", name="Go")
    await go.focus()
    await stage.keyboard.press("Enter")
    await expect(go).to_have_attribute("aria-busy", "true")
    await expect(go).to_be_disabled()
    await go.dispatch_event("click")
    await stage.keyboard.press("Enter")
    await expect(stage.get_by_role("button", name="O", exact=True)).to_be_enabled()
    await stage.evaluate("letGo()")
    await expect(go).to_be_enabled()
    await expect(go).to_have_attribute("aria-busy", "false")
    await expect(go).to_be_focused()
    assert await heard(stage) == [["press", "b", "go", None]]


async def test_a_card_that_is_drawn_again_is_not_pressed_again_before_the_answer(
    stage: Page,
) -> None:
    votes: Json = {"type": "feedback_buttons", "action_id": "vote"}
    for name, words in (("positive_button", "Good"), ("negative_button", "Bad")):
        votes[name] = {"text": plain(words), "value": words}
    card = [actions(button()), {"type": "context_actions", "block_id": "c", "elements": [votes]}]
    await draw(stage, *card)
    await stage.evaluate("hold = true")
    for pressed, also in (("Go", "Go"), ("Good", "Bad")):
        await stage.get_by_role("button", name=pressed, exact=True).click()
        await draw(stage, *card)
        again = stage.get_by_role("button", name=also, exact=True)
        await expect(again).to_have_attribute("aria-busy", "true")
        await again.dispatch_event("click")
        await stage.evaluate("letGo()")
        await expect(again).to_have_attribute("aria-busy", "false")
    await again.click()
    assert await heard(stage) == [
        ["press", "b", "go", None],
        ["press", "c", "vote", "Good"],
        ["press", "c", "vote", "Bad"],
    ]


async def test_a_question_is_asked_before_the_press(stage: Page) -> None:
    confirm = CONFIRM | {"style": "danger"}
    await draw(stage, actions(button("Go", confirm=CONFIRM), button("Stop", confirm=confirm)))
    go, dialog = stage.get_by_role("button", name="Go"), stage.get_by_role("alertdialog")
    await go.click()
    await expect(dialog).to_have_accessible_name("Sure?")
    await expect(dialog).to_have_accessible_description("It cannot be undone.")
    await expect(dialog.get_by_role("button", name="Do it")).to_be_focused()
    await stage.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(go).to_be_focused()

    await stage.get_by_role("button", name="Stop").click()
    await expect(dialog.get_by_role("button", name="Back")).to_be_focused()
    await dialog.get_by_role("button", name="Back").click()
    await expect(dialog).to_have_count(0)
    assert await heard(stage) == []

    await go.click()
    await stage.keyboard.press("Enter")
    await stage.wait_for_function("heard.length")
    assert await heard(stage) == [["press", "b", "go", None]]
    await expect(dialog).to_have_count(0)


async def test_a_refused_choice_is_taken_back(stage: Page) -> None:
    boxes = {"type": "checkboxes", "action_id": "c", "options": COLOURS, "confirm": CONFIRM}
    first = {"initial_option": COLOURS[0]}
    pick = {"type": "static_select", "action_id": "s", "options": COLOURS, "confirm": CONFIRM}
    await draw(stage, actions(boxes, pick | first))
    await stage.get_by_role("checkbox", name="Green").check()
    await stage.keyboard.press("Escape")
    await expect(stage.get_by_role("checkbox", name="Green")).not_to_be_checked()
    select = stage.get_by_role("combobox")
    await select.click()
    await stage.get_by_role("option", name="Blue").click()
    await stage.get_by_role("button", name="Back").click()
    await expect(select).to_have_value("Red")
    assert await heard(stage) == []


async def test_a_menu_is_used_by_keyboard_and_mouse(stage: Page) -> None:
    options = [option("Refresh"), option("Docs", url="https://ok.example/"), option("Last")]
    await draw(stage, actions({"type": "overflow", "action_id": "more", "options": options}))
    more = stage.get_by_role("button", name="More actions")
    item = stage.get_by_role("menuitem")
    await more.focus()
    await stage.keyboard.press("ArrowDown")
    await expect(more).to_have_attribute("aria-expanded", "true")
    await expect(item.first).to_be_focused()
    for key, at in (("End", 2), ("ArrowDown", 0), ("ArrowUp", 2), ("Home", 0)):
        await stage.keyboard.press(key)
        await expect(item.nth(at)).to_be_focused()
    await stage.keyboard.press("Escape")
    await expect(more).to_be_focused()
    await expect(item).to_have_count(0)
    await stage.keyboard.press("ArrowUp")
    await stage.keyboard.press("Enter")
    await expect(more).to_have_attribute("aria-expanded", "false")

    await more.click()
    await stage.mouse.click(600, 600)
    await expect(item).to_have_count(0)
    await more.click()
    await expect(item.nth(1)).to_have_attribute("href", "https://ok.example/")
    await item.nth(1).click()
    assert await stage.evaluate("opened[0][0]") == "https://ok.example/"
    assert await heard(stage) == [["press", "b", "more", "last"], ["press", "b", "more", "docs"]]


async def test_what_opens_in_a_dialog_is_whole_and_closes_alone(stage: Page) -> None:
    await draw(stage, question("Colour", "static_select", options=COLOURS))
    await stage.evaluate("""() => {
      const dialog = document.createElement("dialog");
      dialog.append(document.querySelector(".blocks"));
      document.body.append(dialog);
      dialog.showModal();
    }""")
    await stage.get_by_role("combobox").click()
    await stage.get_by_role("option", name="Blue").click()
    await stage.keyboard.press("ArrowDown")
    await stage.keyboard.press("Escape")
    await expect(stage.get_by_role("option")).to_have_count(0)
    await expect(stage.get_by_role("combobox")).to_have_value("Blue")
    await stage.keyboard.press("Escape")
    await expect(stage.get_by_role("combobox")).to_have_count(0)


async def test_a_menu_may_vanish_while_it_is_open(stage: Page) -> None:
    menu = {"type": "overflow", "action_id": "more", "options": COLOURS}
    await draw(stage, actions(menu))
    await stage.get_by_role("button", name="More actions").click()
    await draw(stage, actions(menu))
    await expect(stage.get_by_role("menuitem")).to_have_count(0)
    await stage.mouse.click(600, 600)
    await stage.get_by_role("button", name="More actions").click()
    await expect(stage.get_by_role("menuitem")).to_have_count(3)


async def test_a_select_is_used_by_keyboard(stage: Page) -> None:
    groups = [
        {"label": plain("Warm"), "options": COLOURS[:1]},
        {"label": plain("Cold"), "options": COLOURS[1:]},
    ]
    select = {"type": "static_select", "action_id": "s", "option_groups": groups}
    await draw(stage, section("Which colour?", accessory=select))
    box = stage.get_by_role("combobox", name="Which colour?")
    options = stage.get_by_role("option")
    await box.focus()
    await stage.keyboard.press("ArrowDown")
    await expect(options).to_have_count(3)
    await expect(stage.get_by_role("group", name="Cold").get_by_role("option")).to_have_count(2)
    for key, name in (("End", "Blue"), ("Home", "Redlike fire"), ("ArrowDown", "Green")):
        await stage.keyboard.press(key)
        at = await box.get_attribute("aria-activedescendant")
        await expect(stage.locator(f"#{at}")).to_have_text(name)
    await stage.keyboard.press("Escape")
    await expect(options).to_have_count(0)
    await stage.keyboard.type("bl")
    await expect(options).to_have_text(["Blue"])
    await stage.keyboard.type("x")
    await expect(options).to_have_text(["No match"])
    await stage.keyboard.press("Backspace")
    await stage.keyboard.press("Enter")
    await expect(box).to_have_value("Blue")
    await expect(box).to_have_attribute("aria-expanded", "false")
    await expect(box).to_be_focused()
    assert await heard(stage) == [["press", "b", "s", "blue"]]


async def test_what_is_chosen_on_home_is_not_cut_off(stage: Page) -> None:
    home = Home(HomeOptions(), [], [], [], (), datetime.now(UTC))
    for calls in CallPreference:
        for tasks in FILTERS:
            shown = replace(home, calls=calls, options=HomeOptions(tasks=tasks))
            await draw(stage, *view(ENGLISH, shown)["blocks"])
            cut = await stage.evaluate(CUT_OFF)
            assert cut == [], cut


async def test_several_are_picked_and_removed(stage: Page) -> None:
    several = {"options": COLOURS, "initial_options": COLOURS[:1], "max_selected_items": 2}
    await draw(stage, question("Colours", "multi_static_select", **several))
    box = stage.get_by_role("combobox", name="Colours")
    chosen = stage.get_by_role("list", name="Chosen").get_by_role("listitem")
    await box.click()
    await expect(stage.get_by_role("option", selected=True)).to_have_text("Redlike fire")
    await stage.get_by_role("option", name="Green").click()
    await stage.get_by_role("option", name="Blue").click()
    await expect(chosen).to_have_text(["Red×", "Green×"])
    await stage.get_by_role("button", name="Remove Red").click()
    await expect(chosen).to_have_text(["Green×"])
    await box.press("Backspace")
    await expect(chosen).to_have_count(0)
    values = [value for *_where, value in await heard(stage)]
    assert values == [["red", "green"], ["green"], []]


async def test_people_and_channels_are_picked_by_name(stage: Page) -> None:
    for kind, name, value in (
        ("users_select", "@Bob", "U0BOB"),
        ("multi_users_select", "@Bob", ["U0BOB"]),
        ("channels_select", "#oncall", "C0ONCALL"),
        ("multi_channels_select", "#soc", ["C0SOC"]),
        ("conversations_select", "#soc", "C0SOC"),
        ("multi_conversations_select", "#soc", ["C0SOC"]),
    ):
        await draw(stage, actions({"type": kind, "action_id": "s"}))
        await stage.get_by_role("combobox").click()
        await stage.get_by_role("option", name=name).click()
        assert await heard(stage) == [["press", "b", "s", value]]


async def test_choices_and_dates_outside_a_form_are_told_at_once(stage: Page) -> None:
    def one(kind: str, **more: Any) -> Json:
        return {"type": kind, "action_id": kind, **more}

    await draw(
        stage,
        actions(
            one("radio_buttons", options=COLOURS, initial_option=COLOURS[0]),
            one("checkboxes", options=COLOURS, initial_options=COLOURS[:1]),
        ),
        actions(
            one("datepicker", initial_date="2026-11-20"),
            one("timepicker"),
            one("datetimepicker", initial_date_time=AT),
        ),
    )
    await stage.get_by_role("radio", name="Green").check()
    await stage.get_by_role("checkbox", name="Blue").check()
    await stage.get_by_label("datepicker", exact=True).fill("2026-11-21")
    await stage.get_by_label("timepicker", exact=True).fill("14:30")
    moment = stage.get_by_label("datetimepicker", exact=True)
    await expect(moment).to_have_value("2026-11-21T14:30")
    await moment.fill("2026-11-21T14:31")
    assert [(action, value) for _, _, action, value in await heard(stage)] == [
        ("radio_buttons", "green"),
        ("checkboxes", ["red", "blue"]),
        ("datepicker", "2026-11-21"),
        ("timepicker", "14:30"),
        ("datetimepicker", str(AT - AT % 60 + 60)),
    ]


async def test_a_date_that_is_typed_counts_once_it_is_whole(stage: Page) -> None:
    await draw(
        stage, actions({"type": "datepicker", "action_id": "d", "initial_date": "2026-11-20"})
    )
    await stage.get_by_label("datepicker").focus()
    await stage.keyboard.type("12252027")
    assert await heard(stage) == []
    await stage.keyboard.press("Enter")
    assert await heard(stage) == [["press", "b", "d", "2027-12-25"]]


# What is filled in.


async def test_an_input_says_what_it_wants_and_what_is_wrong(stage: Page) -> None:
    await draw(
        stage,
        question("Reason", "plain_text_input", multiline=True, hint=plain("Say why.")),
        errors={"b": "Too vague."},
    )
    reason = stage.get_by_role("textbox", name="Reason")
    await expect(reason).to_have_attribute("aria-invalid", "true")
    await expect(reason).to_have_attribute("aria-required", "true")
    await expect(reason).to_have_accessible_description("Say why. Too vague.")
    await expect(stage.get_by_role("alert")).to_have_text("Too vague.")
    await draw(stage, question("Reason", "radio_buttons", options=COLOURS, optional=True))
    group = stage.get_by_role("radiogroup", name="Reason (optional)")
    await expect(group).not_to_have_attribute("aria-required", "true")
    await group.get_by_role("radio", name="Blue").check()
    assert await heard(stage) == [["fill", "b", "a", "blue"]]


async def test_typing_is_told_and_counted(stage: Page) -> None:
    await draw(stage, question("Text", "plain_text_input", min_length=3, max_length=5))
    text = stage.get_by_label("Text")
    for typed, count in (("a", "2 more needed"), ("abcd", "1 left"), ("abcdefg", "2 too many")):
        await text.fill(typed)
        await expect(stage.get_by_text(count)).to_be_visible()
        assert await heard(stage) == [["fill", "b", "a", typed]]
    for kind in ("email_text_input", "url_text_input", "number_input", "rich_text_input"):
        await draw(stage, question("Text", kind))
        await stage.get_by_label("Text").fill("12")
        assert await heard(stage) == [["fill", "b", "a", "12"]]


async def test_an_input_that_dispatches_is_pressed_as_it_is_configured(stage: Page) -> None:
    def dispatching(*on: str, **more: Any) -> Json:
        config = {"dispatch_action_config": {"trigger_actions_on": list(on)}} if on else {}
        block = question("Name", "plain_text_input", **config, **more)
        return block | {"dispatch_action": True}

    await draw(stage, dispatching())
    box = stage.get_by_label("Name")
    await box.press_sequentially("ab")
    assert await heard(stage) == [["fill", "b", "a", "a"], ["fill", "b", "a", "ab"]]
    await expect(box).to_have_accessible_description("Press Enter to send this.")
    await box.press("Enter")
    assert await heard(stage) == [["press", "b", "a", "ab"]]

    await draw(stage, dispatching("on_character_entered", multiline=True))
    await box.press_sequentially("x")
    await box.press("Enter")
    pressed = [value for kind, _, _, value in await heard(stage) if kind == "press"]
    assert pressed == ["x", "x\n"]

    await draw(
        stage, question("Name", "static_select", options=COLOURS) | {"dispatch_action": True}
    )
    await stage.get_by_role("combobox").click()
    await stage.get_by_role("option", name="Green").click()
    assert await heard(stage) == [["press", "b", "a", "green"]]


async def test_what_was_entered_stays_through_another_drawing(stage: Page) -> None:
    await stage.evaluate(
        "void (stage.entered = (_, { action_id }) => ({ a: 'mine', m: [], n: null })[action_id])"
    )
    first = {"initial_value": "offered"}
    await draw(
        stage,
        question("Text", "plain_text_input", **first),
        question("None", "datepicker", action_id="n", initial_date="2026-11-21"),
        question("Other", "plain_text_input", action_id="o", **first),
        question("Many", "multi_users_select", action_id="m", initial_users=["U0BOB"]),
    )
    await expect(stage.get_by_label("Text")).to_have_value("mine")
    await expect(stage.get_by_label("None")).to_have_value("")
    await expect(stage.get_by_label("Other")).to_have_value("offered")
    await expect(stage.get_by_role("listitem")).to_have_count(0)


async def test_files_are_chosen_and_removed(stage: Page) -> None:
    await draw(stage, question("Files", "file_input", max_files=2, filetypes=["txt"]))
    files = stage.get_by_label("Files", exact=True)
    await expect(files).to_have_attribute("accept", ".txt")
    payloads = [
        FilePayload(name=name, mimeType="text/plain", buffer=b"x") for name in ("a.txt", "b.exe")
    ]
    await files.set_input_files(payloads)
    await expect(stage.get_by_role("listitem")).to_have_text(["📄 a.txt×"])
    await expect(stage.get_by_role("alert")).to_have_text("b.exe was not stored: not this kind")
    await files.set_input_files(FilePayload(name="c.txt", mimeType="text/plain", buffer=b"x"))
    await expect(files).to_be_disabled()
    await stage.get_by_role("button", name="Remove a.txt").click()
    await expect(files).to_be_enabled()
    values = [value for *_where, value in await heard(stage)]
    assert values == [["F-a.txt"], ["F-a.txt", "F-c.txt"], ["F-c.txt"]]
