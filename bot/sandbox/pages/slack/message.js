// One message as people see it: who, when, what, and what hangs on it.

import { drawBlocks, drawMrkdwn, drawText } from "../blocks/blocks.js";
import { h, link } from "../shared/dom.js";
import { drawFile } from "./files.js";
import { address } from "./address.js";
import { ago, clock, full, machine } from "./times.js";

const TINTS = 8;

/**
 * Draw a message. `ways`: {context, place, inThread, author(message), menu(message, button)},
 * `context` being what blocks are drawn with.
 */
export function drawMessage(message, ways) {
  const author = ways.author(message);
  return h("div", { class: "message" },
    avatar(message, author),
    h("div", { class: "content" },
      byline(message, author),
      broadcast(message, ways),
      body(message, ways.context),
      (message.attachments ?? []).map((each) => attachment(each, ways.context)),
      (message.files ?? []).map((file) => drawFile(file, ways.place.user)),
      reactions(message, ways.context),
      replies(message, ways)),
    more(message, ways));
}

/** A message's words without its looks. */
export function plainText(message, context) {
  return drawMrkdwn(message.text ?? "", context).textContent;
}

/** The author's initials on a colour of their own, for the eye only. */
function avatar(message, author) {
  const id = message.user ?? message.bot_id ?? author;
  const tint = [...id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % TINTS;
  return h("span", { class: `avatar tint-${tint}`, "aria-hidden": "true" }, initials(author));
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
}

function byline(message, author) {
  const moment = h("time", { dateTime: machine(message.ts), title: full(message.ts) },
    clock(message.ts));
  return h("p", { class: "by" },
    h("strong", { class: "author" }, author),
    message.bot_id ? h("span", { class: "badge" }, "APP") : null,
    moment,
    message.is_ephemeral ? h("span", { class: "tag" }, "Only visible to you") : null);
}

function broadcast(message, { inThread, place }) {
  if (message.subtype !== "thread_broadcast" || inThread) return null;
  const thread = { ...place, thread: message.thread_ts, home: false };
  return h("p", { class: "quiet" }, "replied to a ", h("a", { href: address(thread) }, "thread"));
}

function body(message, context) {
  const edited = message.edited ? h("span", { class: "quiet edited" }, " (edited)") : null;
  if (message.blocks?.length) {
    return [h("div", { class: "blocks" }, drawBlocks(message.blocks, context)), edited];
  }
  if (!message.text) return edited;
  return h("div", { class: "blocks" }, drawMrkdwn(message.text, context), edited);
}

/** https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments */
function attachment(each, context) {
  const title = each.title ?? "";
  const text = each.text ?? (title ? "" : each.fallback ?? "");
  return h("div", { class: "attachment" },
    each.pretext ? h("div", { class: "blocks" }, drawMrkdwn(each.pretext, context)) : null,
    each.author_name ? h("p", { class: "quiet" }, each.author_name) : null,
    title ? h("p", { class: "title" }, link(each.title_link ?? each.from_url, title)) : null,
    each.blocks ? h("div", { class: "blocks" }, drawBlocks(each.blocks, context)) : null,
    text && !each.blocks ? h("div", { class: "blocks" }, drawMrkdwn(text, context)) : null,
    each.footer ? h("p", { class: "quiet" }, each.footer) : null);
}

function reactions(message, context) {
  if (!message.reactions?.length) return null;
  return h("ul", { class: "reactions", "aria-label": "Reactions" },
    message.reactions.map((each) => reaction(each, context)));
}

function reaction({ name, users, count }, context) {
  const who = users.map((user) => context.names.user(user) ?? user).join(", ");
  const sign = drawText({ type: "plain_text", text: `:${name}:`, emoji: true }, context);
  return h("li", { title: `${who}: ${name}` }, sign, h("span", {}, ` ${count}`));
}

function replies(message, { inThread, place }) {
  if (inThread || !message.reply_count) return null;
  const words = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  const last = h("span", { class: "quiet", data: { ago: message.latest_reply } },
    `last reply ${ago(message.latest_reply)}`);
  const href = address({ ...place, thread: message.ts, home: false });
  return h("p", { class: "replies" }, h("a", { href }, words), " · ", last);
}

function more(message, ways) {
  return h("button", {
    class: "bare more", type: "button", "aria-label": "More actions", "aria-haspopup": "menu",
    "aria-expanded": "false", tabIndex: -1,
    on: { click: (event) => ways.menu(message, event.currentTarget) },
  }, "⋯");
}
