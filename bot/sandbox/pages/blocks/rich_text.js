// Rich text: words whose structure and looks are given as data.
// https://docs.slack.dev/reference/block-kit/blocks/rich-text-block

import { h, link } from "../shared/dom.js";
import { drawDate } from "./dates.js";
import { EMOJI } from "./emoji.js";
import { broadcast, mention } from "./mrkdwn.js";

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
