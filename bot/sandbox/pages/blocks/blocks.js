// How Slack's blocks are drawn: their layout, with everything in them that can be used.
// https://docs.slack.dev/reference/block-kit

import { h, link, own } from "../shared/dom.js";
import { cannotDraw, newId } from "./control.js";
import { drawElement, drawElements, picture } from "./elements.js";
import { feedback } from "./buttons.js";
import { drawMarkdown, drawTable } from "./markdown.js";
import { drawText } from "./mrkdwn.js";
import { drawRichText } from "./rich_text.js";

export { drawMrkdwn, drawText } from "./mrkdwn.js";

const LONG_TEXT = { letters: 1500, lines: 25 }; // beyond it a section asks before it shows all

/** Draw blocks; returns an array of nodes. What cannot be drawn says so in its place. */
export function drawBlocks(blocks, context) {
  return [blocks ?? []].flat().map((block) => drawBlock(block, context));
}

function drawBlock(block, context) {
  const node = drawnOrNot(block, context);
  node.classList.add("block");
  return node;
}

function drawnOrNot(block, context) {
  try {
    const draw = BLOCKS.get(block.type);
    const node = draw ? draw(block, context) : cannotDraw(block.type, "block");
    node.dataset.blockId = block.block_id ?? "";
    return node;
  } catch (error) {
    const kind = typeof block?.type === "string" ? `“${block.type}” block` : "block";
    return h("p", { class: "undrawn", title: error.message }, `This ${kind} can't be read`);
  }
}

const BLOCKS = new Map(
  Object.entries({
    actions: (block, context) => h("div", { class: "actions" }, drawElements(block, context)),
    alert,
    container,
    context: contextBlock,
    context_actions: (block, context) => h("div", { class: "actions" }, feedback(block, context)),
    data_table: dataTable,
    divider: () => h("hr"),
    file: ({ external_id: id }) => h("p", { class: "quiet" }, `📄 File ${id}`),
    header: ({ text }, context) => h("h3", { class: "header" }, drawText(text, context)),
    image,
    input,
    markdown: ({ text }, context) => h("div", { class: "rich" }, drawMarkdown(text, context)),
    rich_text: richText,
    section,
    table,
    video,
  }),
);

function section(block, context) {
  const { text, fields, accessory } = block;
  if (!text && !fields) throw new TypeError("a section has either text or fields");
  const id = newId();
  const content = [
    text ? passage(block, context) : null,
    fields ? h("div", { class: "fields" }, fields.map((each) => cell(each, context))) : null,
  ];
  const body = h("div", { class: "words", id }, content);
  if (!accessory) return h("div", { class: "section" }, body);
  const slot = { block, element: accessory, context, aria: { "aria-labelledby": id } };
  return h("div", { class: "section" }, body, h("div", { class: "accessory" }, drawElement(slot)));
}

function cell(text, context) {
  return h("div", { class: "field" }, drawText(text, context));
}

function richText({ elements }, context) {
  return h("div", { class: "rich" }, drawRichText(elements, context));
}

function passage({ text, expand }, context) {
  const words = h("div", { id: newId() }, drawText(text, context));
  const lines = text.text.split("\n").length;
  const short = text.text.length <= LONG_TEXT.letters && lines <= LONG_TEXT.lines;
  return expand || short ? words : folded(words);
}

function folded(words) {
  words.className = "folded";
  const more = h("button", { type: "button", class: "bare unfold" });
  const show = (all) => {
    words.classList.toggle("all", all);
    more.setAttribute("aria-expanded", String(all));
    more.textContent = all ? "Show less" : "Show more";
  };
  more.setAttribute("aria-controls", words.id);
  more.addEventListener("click", () => show(!words.classList.contains("all")));
  show(false);
  return [words, more];
}

function contextBlock({ elements }, context) {
  return h("div", { class: "context" }, elements.map((each) => contextPart(each, context)));
}

function contextPart(element, context) {
  if (element.type === "image") return picture(element, "small");
  return h("span", { class: "part" }, drawText(element, context));
}

const ALERTS = new Map([
  ["info", "ℹ️"],
  ["warning", "⚠️"],
  ["error", "⛔"],
  ["success", "✅"],
]);

// https://docs.slack.dev/reference/block-kit/blocks/alert-block
function alert({ level, text }, context) {
  const sign = ALERTS.get(level);
  const mark = sign ? h("span", { role: "img", "aria-label": level, text: sign }) : null;
  const className = sign ? `alert ${level}` : "alert";
  return h("div", { class: className, role: "note" }, mark, h("div", {}, drawText(text, context)));
}

function image(block, context) {
  const caption = block.title ? h("figcaption", {}, drawText(block.title, context)) : null;
  return h("figure", { class: "image" }, caption, picture(block, "large"));
}

function video({ title, title_url: url, alt_text: alt, description }, context) {
  const name = drawText(title, context);
  const about = description ? h("p", { class: "quiet" }, drawText(description, context)) : null;
  return h("div", { class: "video", title: alt }, "▶ ", url ? link(url, name) : name, about);
}

function table({ rows, column_settings: columns = [] }, context) {
  const drawn = rows.map((row) => row.map((each) => tableCell(each, context)));
  return drawTable(drawn, columns);
}

function tableCell({ type, text, value, elements }, context) {
  if (type === "rich_text") return drawRichText(elements, context);
  if (type === "raw_number") return [text ?? String(value)];
  if (type !== "raw_text") throw new TypeError(`a table has no ${type}`);
  return [text];
}

// All rows at once: pages and sorting are Slack's own.
function dataTable({ rows, caption }, context) {
  return h("figure", {}, h("figcaption", {}, caption), table({ rows }, context));
}

// https://docs.slack.dev/reference/block-kit/blocks/container-block
function container(block, context) {
  const { title, rich_text_title: rich, subtitle, icon, child_blocks: children } = block;
  const head = [
    icon ? picture(icon, "small") : null,
    h("strong", {}, rich ? drawRichText(rich.elements, context) : drawText(title, context)),
    subtitle ? h("div", { class: "quiet" }, drawText(subtitle, context)) : null,
  ];
  const body = h("div", {}, drawBlocks(children, context));
  if (!block.is_collapsible) return h("div", { class: "container" }, head, body);
  const open = !block.default_collapsed;
  return h("details", { class: "container", open }, h("summary", {}, head), body);
}

function input(block, context) {
  const [id, label, hint, wrong] = [newId(), newId(), newId(), newId()];
  const error = own(context.errors, block.block_id);
  const aria = {
    id,
    "aria-labelledby": label,
    "aria-describedby": [block.hint && hint, error && wrong].filter(Boolean).join(" ") || null,
    "aria-invalid": error ? "true" : null,
    "aria-required": block.optional ? null : "true",
  };
  return h(
    "div",
    { class: "input" },
    h("label", { id: label, htmlFor: id }, drawText(block.label, context), optional(block)),
    drawElement({ block, element: block.element, context, aria }),
    block.hint ? h("p", { class: "hint quiet", id: hint }, drawText(block.hint, context)) : null,
    error ? h("p", { class: "wrong", id: wrong, role: "alert", text: error }) : null,
  );
}

function optional(block) {
  return block.optional ? h("span", { class: "quiet", text: " (optional)" }) : null;
}
