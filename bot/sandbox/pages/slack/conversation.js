// A list of messages: each drawn once, redrawn when it changed, in order, with days between them;
// it reads from the bottom.

import { h, keyed } from "../shared/dom.js";
import { aside } from "./notices.js";
import { focusAgain, focusWithin } from "./input_state.js";
import { dayName, dayOf } from "./times.js";

const TOGETHER = 300; // seconds within which one author's messages stand under one name
const STOPPED = ":is(li, .more)[tabindex='0']";
const MORE = ":scope > .message > .more";
const STEPS = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

let made = 0;

/** The messages of a channel or a thread, and lines that the page itself adds. */
export class Conversation {
  /**
   * `ways`: {draw(message), open(message), arrived(message), inThread?}; `arrived` is called for
   * what is new.
   */
  constructor(label, ways) {
    this.ways = ways;
    this.asides = [];
    this.list = h("ol", { class: "messages", "aria-label": label });
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("focusin", (event) => this.onFocus(event));
    this.scroll = new Scroll(this.list);
    this.forget();
  }

  forget() {
    this.items = new Map();
    this.days = new Map();
    this.key = "";
    this.list.replaceChildren();
  }

  /**
   * Show `messages`, oldest first, of the conversation called `key`; `older` is how many there are
   * besides.
   */
  show(key, messages, older = 0) {
    const first = key !== this.key;
    if (first) this.forget();
    this.key = key;
    this.older = older;
    const fresh = messages.filter((message) => this.take(message));
    const stamps = new Set(messages.map((message) => message.ts));
    for (const ts of this.items.keys()) if (!stamps.has(ts)) this.items.delete(ts);
    this.arrange();
    if (first) this.scroll.toEnd();
    else if (fresh.length) this.tell(fresh);
  }

  tell(fresh) {
    this.scroll.grew();
    fresh.forEach(this.ways.arrived);
  }

  /** Draw a message if it is new or changed; whether it is new. */
  take(message) {
    const old = this.items.get(message.ts);
    if (old?.message === message) return false;
    const drawn = JSON.stringify(message);
    if (old?.drawn === drawn) return false;
    const item = old ?? this.newItem(message);
    if (!this.redraw(item, message)) return false;
    Object.assign(item, { drawn, message });
    return !old;
  }

  newItem(message) {
    const near = h("div", { class: "near" });
    const node = h("li", { data: { ts: message.ts }, tabIndex: -1 }, near);
    const item = { id: message.ts, at: Number(message.ts), node, near };
    this.items.set(message.ts, item);
    return item;
  }

  /** Draw a message in its item; false when it can't be drawn, which is said in its place. */
  redraw(item, message) {
    const focus = focusWithin(item.node);
    const { drawn, node } = this.drawnOrNot(message);
    item.node.classList.toggle("ephemeral", Boolean(message.is_ephemeral));
    item.node.replaceChildren(node, item.near);
    if (focus) focusAgain(focus);
    return drawn;
  }

  drawnOrNot(message) {
    try {
      return { drawn: true, node: this.ways.draw(message) };
    } catch ({ message: title }) {
      const words = "This message can't be shown here.";
      const line = h("p", { class: "undrawn", title }, words);
      return { drawn: false, node: h("div", { class: "blocks" }, line) };
    }
  }

  /** Put a line of the page's own at the end; it stays in this conversation. Gives its removal. */
  say(words, { pending = false, key = this.key } = {}) {
    const last = [...this.items.values()].at(-1);
    const node = h("li", { class: "aside", tabIndex: -1 });
    const line = { id: `aside-${(made += 1)}`, key, at: last?.at ?? 0, node };
    const dismiss = () => this.drop(line);
    line.node.append(...aside(words, { pending, dismiss }));
    this.asides.push(line);
    this.arrange();
    this.scroll.grew();
    return dismiss;
  }

  drop(line) {
    this.asides = this.asides.filter((each) => each !== line);
    this.arrange();
  }

  /** Put a line under a message; it goes with the next one, or when dismissed. */
  sayNear(ts, words) {
    const near = this.items.get(ts)?.near;
    if (!near) return;
    const dismiss = () => near.replaceChildren();
    near.replaceChildren(h("p", { class: "aside", role: "alert" }, aside(words, { dismiss })));
  }

  arrange() {
    const asides = this.asides.filter((line) => line.key === this.key);
    const rows = [...this.items.values(), ...asides].sort((one, two) => one.at - two.at);
    const placed = rows.flatMap((row, at) => this.placed(row, rows[at - 1]));
    // A thread begins with the message it is about, and what is left out comes after it.
    if (this.older) placed.splice(this.ways.inThread ? 2 : 0, 0, this.olderRow());
    keyed(this.list, placed, (row) => row.id, (row) => row.node);
    const current = this.list.querySelector(STOPPED)?.closest("li") ?? this.stops().at(-1);
    if (current) this.stopAt(current);
  }

  olderRow() {
    const text = `${this.older.toLocaleString("en")} older messages are not shown.`;
    this.notShown ??= h("li", { class: "quiet older" });
    if (this.notShown.textContent !== text) this.notShown.textContent = text;
    return { id: "older", node: this.notShown };
  }

  placed(row, before) {
    if (!row.near) return [row];
    const sameDay = Boolean(before) && dayOf(before.at) === dayOf(row.at);
    row.node.classList.toggle("continued", sameDay && together(before, row));
    return sameDay ? [row] : [this.dayAt(row.at), row];
  }

  dayAt(ts) {
    const id = dayOf(ts);
    if (!this.days.has(id)) this.days.set(id, { id, node: h("li", { class: "day" }) });
    const day = this.days.get(id);
    day.node.textContent = dayName(ts);
    return day;
  }

  // The keyboard: one message at a time is in the order of Tab.

  stops() {
    return [...this.list.querySelectorAll("li[tabindex]")];
  }

  stopAt(node) {
    for (const stop of this.list.querySelectorAll(STOPPED)) stop.tabIndex = -1;
    for (const stop of [node, node.querySelector(MORE)]) if (stop) stop.tabIndex = 0;
  }

  onFocus(event) {
    const item = event.target.closest("li[tabindex]");
    if (item) this.stopAt(item);
  }

  onKey(event) {
    const item = event.target.closest("li[tabindex]");
    if (!item || event.target !== item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") this.ways.open(this.items.get(item.dataset.ts)?.message);
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    const stops = this.stops();
    stops[stops.indexOf(item) + STEPS[event.key]]?.focus();
  }

  /** Bring the keyboard to a message, if it is here. */
  focus(ts) {
    this.items.get(ts)?.node.focus();
  }
}

function together(before, { message, at }) {
  const other = before.message;
  if (!message || !other || other.reply_count || other.is_ephemeral) return false;
  if (message.blocks || message.is_ephemeral) return false;
  return other.user === message.user && at - before.at < TOGETHER;
}

const NEAR = 32; // pixels from the end that still count as the end

/** The scrolled area around `list`, with a button that tells of what came below it. */
class Scroll {
  constructor(list) {
    const on = { click: () => this.toEnd() };
    this.pill = h("button", { class: "pill", type: "button", hidden: true, on },
      "New messages below ↓");
    this.area = h("div", { class: "scroller", on: { scroll: () => this.scrolled() } }, list);
    this.node = h("div", { class: "reading" }, this.area, this.pill);
    this.toEnd();
    const sizes = new ResizeObserver(() => this.atEnd && this.toEnd());
    sizes.observe(list);
    sizes.observe(this.area);
  }

  /** Show the newest, and keep showing it. */
  toEnd() {
    this.isAtEnd();
    this.area.classList.add("at-end");
    this.area.scrollTop = this.area.scrollHeight;
    this.last = this.area.scrollTop;
  }

  /** Something was added below. */
  grew() {
    this.scrolled(); // the event of a person's scrolling may be yet to come
    if (!this.atEnd) this.pill.hidden = false;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.area;
    const near = scrollHeight - scrollTop - clientHeight < NEAR;
    // Content that grows is no scrolling up: only a person makes the distance from the top less.
    if (near) this.isAtEnd();
    else if (scrollTop < this.last) this.atEnd = false;
    this.area.classList.toggle("at-end", this.atEnd);
    this.last = scrollTop;
  }

  isAtEnd() {
    this.atEnd = true;
    this.pill.hidden = true;
  }
}
