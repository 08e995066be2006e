// Slack's own markup, with its mentions and links.
// https://docs.slack.dev/messaging/formatting-message-text

import { h, link, safe } from "../shared/dom.js";
import { drawDate } from "./dates.js";
import { SHORT_NAME, asNewLine, asText, bareLink, edges, scan } from "./inline.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

const STYLES = { "*": "strong", _: "em", "~": "s" };
const MARKED = [
  [/[^\n<&`*_~:h]+/y, asText],
  [/\n/y, asNewLine],
  [/<([^<>\n]{1,6000})>/y, ([, token], runs, context) => asToken(token, runs, context)],
  [/&(?:amp|lt|gt);/y, ([entity], runs) => runs.add(ENTITIES[entity])],
  [/`([^`\n]+)`/y, ([, code], runs) => runs.add(h("code", { text: decoded(code) }))],
  [/[*_~]/y, (found, runs) => runs.mark(found[0], STYLES[found[0]], edges(found))],
];

const ADDRESS = [
  /https?:\/\/(?:(?!&[lg]t;)[^\s<>]){1,3001}/y,
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

function decoded(text) {
  return text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);
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

export function mention(kind, id, context) {
  const name = context.names[kind](id);
  const sign = kind === "channel" ? "#" : "@";
  const text = name ? sign + name.replace(/^[@#]/, "") : id;
  return h("span", { class: id === context.me ? "mention me" : "mention", text });
}

export function broadcast(range) {
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
