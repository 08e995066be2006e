// How Slack's texts become nodes: mrkdwn, rich text, the markdown block, mentions and dates.

import { h, link, safe } from "./dom.js";
import { EMOJI } from "./emoji.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const WORD = /[\p{L}\p{N}]/u;
const DEEPEST = 6; // levels of quotes and lists in a markdown block; what is deeper stays text

// Inline text: one pass over it, by rules that each look at a bounded stretch.

/** Inline nodes so far, pairing the marks of styles as they come; a mark left alone is text. */
class Runs {
  constructor() {
    this.open = [{ mark: "", nodes: [] }];
  }

  add(...parts) {
    const { nodes } = this.open.at(-1);
    for (const part of parts) {
      const joins = typeof part === "string" && typeof nodes.at(-1) === "string";
      if (joins) nodes[nodes.length - 1] += part;
      else nodes.push(part);
    }
  }

  mark(mark, tag, { opens, closes }) {
    const isOpen = this.open.some((run) => run.mark === mark);
    if (isOpen && closes) this.close(mark);
    else if (!isOpen && opens) this.open.push({ mark, tag, nodes: [] });
    else this.add(mark);
  }

  close(mark) {
    while (this.open.at(-1).mark !== mark) this.giveUp();
    const { tag, nodes } = this.open.pop();
    this.add(h(tag, {}, nodes));
  }

  giveUp() {
    const { mark, nodes } = this.open.pop();
    this.add(mark, ...nodes);
  }

  /** No style outlives its line. */
  endLine() {
    while (this.open.length > 1) this.giveUp();
  }

  end() {
    this.endLine();
    return this.open[0].nodes;
  }
}

/** Read `text` by the first rule that fits at each place; a rule's act declines with `false`. */
function scan(text, rules, context) {
  const runs = new Runs();
  let at = 0;
  while (at < text.length) at += step(text, at, rules, runs, context);
  return runs.end();
}

function step(text, at, rules, runs, context) {
  for (const [pattern, act] of rules) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found && act(found, runs, context) !== false) return found[0].length;
  }
  runs.add(text[at]);
  return 1;
}

function asText([text], runs) {
  runs.add(text);
}

function asNewLine(_found, runs) {
  runs.endLine();
  runs.add("\n");
}

function asEmoji([, name], runs) {
  if (!EMOJI.has(name)) return false;
  runs.add(EMOJI.get(name));
}

/** What stands around a mark decides: Slack and Markdown style words, not parts of them. */
function edges({ 0: mark, index, input }) {
  const before = input[index - 1] ?? " ";
  const after = input[index + mark.length] ?? " ";
  const alone = before !== mark[0] && after !== mark[0];
  return {
    opens: alone && !WORD.test(before) && !/\s/.test(after),
    closes: alone && !WORD.test(after) && !/\s/.test(before),
  };
}

function decoded(text) {
  return text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);
}

function bareLink({ 0: found, index, input }, runs, decode) {
  if (WORD.test(input[index - 1] ?? " ")) return false;
  const address = found.replace(/[.,;:!?'"*_~)\]}]{1,40}$/, "");
  const shown = decode(address);
  if (!safe(shown)) return false;
  runs.add(link(shown, shown), found.slice(address.length));
}

// mrkdwn. https://docs.slack.dev/messaging/formatting-message-text

const STYLES = { "*": "strong", _: "em", "~": "s" };
const MARKED = [
  [/[^\n<&`*_~:h]+/y, asText],
  [/\n/y, asNewLine],
  [/<([^<>\n]{1,6000})>/y, ([, token], runs, context) => asToken(token, runs, context)],
  [/&(?:amp|lt|gt);/y, ([entity], runs) => runs.add(ENTITIES[entity])],
  [/`([^`\n]+)`/y, ([, code], runs) => runs.add(h("code", { text: decoded(code) }))],
  [/[*_~]/y, (found, runs) => runs.mark(found[0], STYLES[found[0]], edges(found))],
];
const SHORT_NAME = [/:([a-z0-9_+'-]{1,60}):/y, asEmoji];
const ADDRESS = [
  /https?:\/\/(?:(?!&[lg]t;)[^\s<>])+/y,
  (found, runs) => bareLink(found, runs, decoded),
];

/** Draw a mrkdwn string, in Slack's escaped form, as a DocumentFragment. */
export function drawMrkdwn(text, context, { verbatim = false, emoji = true } = {}) {
  const rules = [...MARKED, ...(emoji ? [SHORT_NAME] : []), ...(verbatim ? [] : [ADDRESS])];
  const nodes = passages(text).map(([kind, words]) => {
    if (kind === "pre") return h("pre", {}, h("code", { text: decoded(words) }));
    const inside = scan(words, rules, context);
    return kind === "quote" ? h("blockquote", {}, inside) : inside;
  });
  return fragment(h("span", { class: "mrkdwn" }, nodes));
}

/** Draw a text object: plain_text or mrkdwn. */
export function drawText({ type, text, emoji = true, verbatim = false }, context) {
  if (type === "mrkdwn") return drawMrkdwn(text, context, { verbatim, emoji });
  const words = emoji ? scan(text, [[/[^:]+/y, asText], SHORT_NAME], context) : [text];
  return fragment(h("span", { class: "plain" }, words));
}

function fragment(...nodes) {
  const made = new DocumentFragment();
  made.append(...nodes);
  return made;
}

/** The text as [kind, text] in order: code between fences, quotes by line, and the rest. */
function passages(text) {
  // Backticks alone are no code, and a fence that nothing closes is text.
  const parts = text.split(/```(?!`)([^]+?)```/);
  return parts.flatMap((part, at) =>
    at % 2 ? [["pre", trimmed(part)]] : between(part, at, parts),
  );
}

function between(part, at, parts) {
  const from = at > 0 && part.startsWith("\n") ? 1 : 0;
  const words = part.slice(from);
  const last = at === parts.length - 1;
  return quotes(last || !words.endsWith("\n") ? words : words.slice(0, -1));
}

function trimmed(code) {
  return code.replace(/^\n/, "").replace(/\n$/, "");
}

function quotes(text) {
  const found = [];
  let toTheEnd = false;
  for (const line of text === "" ? [] : text.split("\n")) {
    const [marks] = /^(?:>>>|&gt;&gt;&gt;|>|&gt;)? ?/.exec(line);
    toTheEnd ||= /^(?:>>>|&gt;&gt;&gt;)/.test(marks);
    const kind = toTheEnd || marks.trim() ? "quote" : "text";
    const words = marks.trim() ? line.slice(marks.length) : line;
    if (found.at(-1)?.[0] === kind) found.at(-1)[1].push(words);
    else found.push([kind, [words]]);
  }
  return found.map(([kind, lines]) => [kind, lines.join("\n")]);
}

/** What stands between < and >, if it is well formed. */
function asToken(token, runs, context) {
  const bar = token.indexOf("|");
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? "" : decoded(token.slice(bar + 1));
  const node = mentioned(target, context) ?? dated(target, label) ?? linked(target, label);
  if (!node) return false;
  runs.add(node);
}

function mentioned(target, context) {
  const [, sign, id] = /^(@|#|!subteam\^|!)([A-Za-z0-9]+)$/.exec(target) ?? [];
  if (sign === "@" && /^[UW]/.test(id)) return mention("user", id, context);
  if (sign === "#" && /^[CDG]/.test(id)) return mention("channel", id, context);
  if (sign === "!subteam^") return mention("group", id, context);
  return sign === "!" && BROADCASTS.has(id) ? broadcast(id) : null;
}

const BROADCASTS = new Set(["here", "channel", "everyone"]);

function mention(kind, id, context) {
  const name = context.names[kind](id);
  const sign = kind === "channel" ? "#" : "@";
  const shown = name ? sign + name.replace(/^[@#]/, "") : id;
  return h("span", { class: id === context.me ? "mention me" : "mention", text: shown });
}

function broadcast(range) {
  return h("span", { class: "mention me", text: `@${range}` });
}

function linked(target, label) {
  const address = decoded(target);
  return safe(address) ? link(address, label || address.replace(/^mailto:/, "")) : null;
}

function dated(target, fallback) {
  const [kind, seconds, format, address] = target.split("^");
  if (kind !== "!date" || !/^-?\d{1,15}$/.test(seconds) || !format) return null;
  return drawDate({ timestamp: Number(seconds), format: decoded(format), url: address, fallback });
}

// Dates. https://docs.slack.dev/messaging/formatting-message-text#date-formatting and, for those
// of rich text, https://docs.slack.dev/reference/block-kit/block-elements/date-element

const formats = new Map();

function inWords(when, options) {
  const key = JSON.stringify(options);
  // Making a formatter costs far more than using it.
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(undefined, options));
  return formats.get(key).format(when);
}

const SHORT = { dateStyle: "medium" };
const MIDDLE = { dateStyle: "long" };
const LONG = { dateStyle: "full" };
const DATES = new Map(
  Object.entries({
    date_num: isoDay,
    date_slash: (when) => inWords(when, { year: "numeric", month: "2-digit", day: "2-digit" }),
    date: (when) => inWords(when, MIDDLE),
    date_short: (when) => inWords(when, SHORT),
    date_long: (when) => inWords(when, LONG),
    date_long_full: (when) => inWords(when, MIDDLE),
    date_pretty: (when) => near(when) ?? inWords(when, MIDDLE),
    date_short_pretty: (when) => near(when) ?? inWords(when, SHORT),
    date_long_pretty: (when) => near(when) ?? inWords(when, LONG),
    day_divider_pretty: (when) => near(when) ?? inWords(when, LONG),
    time: (when) => inWords(when, { timeStyle: "short" }),
    time_secs: (when) => inWords(when, { timeStyle: "medium" }),
    ago,
  }),
);

/** A date in the reader's language and zone; `timestamp` is in seconds since 1970. */
function drawDate({ timestamp, format, url, fallback }) {
  const when = new Date(timestamp * 1000);
  if (Number.isNaN(when.getTime())) return fallback || format;
  const filled = (token, name) => DATES.get(name)?.(when) ?? token;
  const shown = format.replace(/\{(\w{1,30})\}/g, filled);
  const title = inWords(when, { dateStyle: "full", timeStyle: "long" });
  return h("time", { datetime: when.toISOString(), title }, url ? link(url, shown) : shown);
}

/** The day as people here count it, YYYY-MM-DD. */
export function isoDay(when) {
  const [month, day] = [when.getMonth() + 1, when.getDate()].map(twoDigits);
  return `${String(when.getFullYear()).padStart(4, "0")}-${month}-${day}`;
}

/** A number as two digits: 7 is "07". */
export function twoDigits(number) {
  return String(number).padStart(2, "0");
}

/** "yesterday", "today" or "tomorrow"; undefined for any other day. */
function near(when) {
  const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(when) - midnight(Date.now())) / 86_400_000);
  return Math.abs(days) <= 1 ? relative.format(days, "day") : undefined;
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

function ago(when) {
  const seconds = Math.round((when - Date.now()) / 1000);
  const [unit, length] = UNITS.find((each) => Math.abs(seconds) >= each[1]) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / length), unit);
}

// Rich text. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block

const LOOKS = [
  ["code", "code"],
  ["bold", "strong"],
  ["italic", "em"],
  ["strike", "s"],
  ["underline", "u"],
];
const PARTS = new Map(
  Object.entries({
    text: ({ text }) => text,
    link: ({ url, text }) => link(url, text || url),
    user: ({ user_id: id }, context) => mention("user", id, context),
    usergroup: ({ usergroup_id: id }, context) => mention("group", id, context),
    channel: ({ channel_id: id }, context) => mention("channel", id, context),
    broadcast: ({ range }) => broadcast(range),
    emoji: ({ name, unicode }) => EMOJI.get(name) ?? codePoints(unicode) ?? `:${name}:`,
    date: drawDate,
    color: ({ value }) => h("span", { class: "colour" }, swatch(value), value),
  }),
);

function codePoints(unicode) {
  if (!/^[0-9a-f]{1,5}(-[0-9a-f]{1,5}){0,9}$/i.test(unicode ?? "")) return undefined;
  return String.fromCodePoint(...unicode.split("-").map((point) => parseInt(point, 16)));
}

function swatch(value) {
  const node = h("span", { class: "swatch" });
  if (/^#[0-9a-f]{3,8}$/i.test(value)) node.style.backgroundColor = value;
  return node;
}

/** Draw the elements of a rich_text block as a list of nodes. */
export function drawRichText(elements, context) {
  const top = h("div");
  const lists = []; // those still open, the outermost first
  for (const element of elements) {
    const node = richPart(element, context);
    if (element.type !== "rich_text_list") lists.length = 0;
    const indent = element.indent ?? 0;
    while (lists.length && lists.at(-1).indent >= indent) lists.pop();
    (lists.at(-1)?.node.lastElementChild ?? top).append(node);
    if (element.type === "rich_text_list") lists.push({ node, indent });
  }
  return [...top.childNodes];
}

function richPart(element, context) {
  const { type, elements, border } = element;
  if (type === "rich_text_list") return richList(element, context);
  const inside = inlineParts(elements, context);
  if (type === "rich_text_quote") return h("blockquote", {}, inside);
  if (type === "rich_text_preformatted") return h("pre", {}, h("code", {}, inside));
  if (type !== "rich_text_section") throw new TypeError(`a rich text has no ${type}`);
  return h("p", { class: border ? "bordered" : "" }, inside);
}

function richList({ style, elements, offset, border }, context) {
  const ordered = style === "ordered";
  const props = { class: border ? "bordered" : "", start: ordered && offset ? offset + 1 : null };
  const items = elements.map((each) => h("li", {}, inlineParts(each.elements, context)));
  return h(ordered ? "ol" : "ul", props, items);
}

function inlineParts(elements, context) {
  return elements.map((element) => {
    const draw = PARTS.get(element.type);
    if (!draw) throw new TypeError(`a rich text has no ${element.type}`);
    const looks = LOOKS.filter(([look]) => element.style?.[look]);
    return looks.reduce((node, [, tag]) => h(tag, {}, node), draw(element, context));
  });
}

// The markdown block. https://docs.slack.dev/reference/block-kit/blocks/markdown-block

const MARKDOWN = [
  [/[^\n\\`*_~![<:h]+/y, asText],
  [/\n/y, asNewLine],
  [/\\([!-/:-@[-`{-~])/y, ([, letter], runs) => runs.add(letter)],
  [/`([^`\n]+)`/y, ([, code], runs) => runs.add(h("code", { text: code }))],
  [
    /!?\[([^[\]\n]{1,2000})\]\(([^\s()<>]{1,3000})(?: "[^"\n]{0,300}")?\)/y,
    ([, label, address], runs) => (safe(address) ? runs.add(link(address, label)) : false),
  ],
  [/<(https?:[^\s<>]{1,3000})>/y, ([, address], runs) => runs.add(link(address, address))],
  [/https?:\/\/[^\s<>]+/y, (found, runs) => bareLink(found, runs, (address) => address)],
  SHORT_NAME,
  [/\*{3}|_{3}/y, (found, runs) => asBoth(found, runs)],
  [/\*\*|__/y, (found, runs) => runs.mark(found[0], "strong", edges(found))],
  [/~~/y, (found, runs) => runs.mark("~~", "s", edges(found))],
  [/[*_]/y, (found, runs) => runs.mark(found[0], "em", edges(found))],
];

/** Three marks are bold and italic at once, and close in the other order. */
function asBoth(found, runs) {
  const around = edges(found);
  const [double, single] = [found[0].slice(1), found[0][0]];
  if (around.closes) runs.mark(single, "em", around);
  runs.mark(double, "strong", around);
  if (!around.closes) runs.mark(single, "em", around);
}

// Each takes lines from `at` on: returns [node or nodes, the line after], or null to decline.
const PASSAGES = [blank, fenced, heading, rule, quoted, list, pipeTable, paragraph];
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +)(?=\S)/;
const STARTS = /^ {0,3}(?:```|~~~|#{1,6} |>|(?:[-*+]|\d{1,9}[.)]) +\S|([-*_])( *\1){2,} *$)/;
const DELIMITERS = /^\|? *:?-+:? *(?:\| *:?-+:? *)*\|?$/;

/** Draw a markdown block's text as a list of nodes. */
export function drawMarkdown(text, context) {
  return structure(text.replaceAll("\r\n", "\n").split("\n"), context, 0);
}

function structure(lines, context, depth) {
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const [made, next] = passage(lines, at, context, depth);
    nodes.push(made);
    at = next;
  }
  return nodes;
}

function passage(lines, at, context, depth) {
  for (const read of depth < DEEPEST ? PASSAGES : [paragraph]) {
    const found = read(lines, at, context, depth);
    if (found) return found;
  }
  return null;
}

function blank(lines, at) {
  return lines[at].trim() ? null : [[], at + 1];
}

function fenced(lines, at) {
  const [, fence] = /^ {0,3}(```|~~~)/.exec(lines[at]) ?? [];
  if (!fence) return null;
  const end = firstFrom(lines, at + 1, (line) => line.trim() === fence);
  return [h("pre", {}, h("code", { text: lines.slice(at + 1, end).join("\n") })), end + 1];
}

function firstFrom(lines, from, ends) {
  let at = from;
  while (at < lines.length && !ends(lines[at])) at += 1;
  return at;
}

function heading(lines, at, context) {
  const [, marks, words] = /^ {0,3}(#{1,6}) +(.*)$/.exec(lines[at]) ?? [];
  if (!marks) return null;
  // A message is no document of its own: its headings begin below those of the page.
  const tag = `h${Math.min(marks.length + 2, 6)}`;
  return [h(tag, {}, scan(words.replace(/ #+ *$/, ""), MARKDOWN, context)), at + 1];
}

function rule(lines, at) {
  return /^ {0,3}([-*_])( *\1){2,} *$/.test(lines[at]) ? [h("hr"), at + 1] : null;
}

function quoted(lines, at, context, depth) {
  const mark = /^ {0,3}> ?/;
  if (!mark.test(lines[at])) return null;
  const end = firstFrom(lines, at, (line) => !mark.test(line));
  const inside = lines.slice(at, end).map((line) => line.replace(mark, ""));
  return [h("blockquote", {}, structure(inside, context, depth + 1)), end];
}

function list(lines, at, context, depth) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const ordered = /\d/.test(first[2]);
  const items = [];
  let next = at;
  for (;;) {
    const found = ITEM.exec(lines[next] ?? "");
    if (!found || /\d/.test(found[2]) !== ordered) break;
    const end = firstFrom(lines, next + 1, (line) => !/^ {2,}\S|^\t/.test(line));
    items.push(item(lines.slice(next, end), found[0].length, context, depth + 1));
    next = end;
  }
  const start = ordered ? parseInt(first[2], 10) : null;
  return [h(ordered ? "ol" : "ul", { start }, items), next];
}

function item([first, ...rest], width, context, depth) {
  const words = first.slice(width);
  const [, tick] = /^\[([ xX])\] +/.exec(words) ?? [];
  const inside = rest.map((line) => line.replace(/^(?:\t| {1,4})/, ""));
  const more = structure(inside, context, depth);
  if (!tick) return h("li", {}, scan(words, MARKDOWN, context), more);
  const done = tick !== " ";
  const box = { type: "checkbox", disabled: true, checked: done, "aria-label": "done" };
  return h("li", { class: "task" }, h("input", box), scan(words.slice(4), MARKDOWN, context), more);
}

function pipeTable(lines, at, context) {
  const isTable = lines[at].includes("|") && DELIMITERS.test((lines[at + 1] ?? "").trim());
  if (!isTable) return null;
  const end = firstFrom(lines, at + 2, (line) => !line.includes("|"));
  const columns = cells(lines[at + 1]).map((mark) => ({ align: aligned(mark), is_wrapped: true }));
  const rows = [lines[at], ...lines.slice(at + 2, end)].map((line) =>
    cells(line).map((cell) => scan(cell, MARKDOWN, context)),
  );
  return [drawTable(rows, columns), end];
}

function cells(line) {
  return line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((cell) => cell.trim());
}

function aligned(mark) {
  if (!mark.endsWith(":")) return "left";
  return mark.startsWith(":") ? "center" : "right";
}

function paragraph(lines, at, context) {
  const end = firstFrom(lines, at + 1, (line) => !line.trim() || STARTS.test(line));
  return [h("p", {}, scan(lines.slice(at, end).join("\n"), MARKDOWN, context)), end];
}

/** Draw rows of cells, each a list of nodes, as a table that scrolls sideways in its own box. */
export function drawTable([head, ...body], columns) {
  const row = (tag) => (cellsOfRow) =>
    h("tr", {}, cellsOfRow.map((cell, at) => h(tag, cellProps(tag, columns[at]), cell)));
  const rows = [h("thead", {}, row("th")(head)), h("tbody", {}, body.map(row("td")))];
  const props = { class: "sideways", role: "region", "aria-label": "Table", tabIndex: 0 };
  return h("div", props, h("table", {}, rows));
}

function cellProps(tag, column) {
  const align = ["center", "right"].includes(column?.align) ? column.align : "left";
  const scope = tag === "th" ? "col" : null;
  return { class: column?.is_wrapped ? `${align} wrapped` : align, scope };
}
