// The pieces every pane of the console is made of.

import { h, keyed, own } from "../shared/dom.js";
import { STATES, author, clock, moment, pretty } from "./words.js";

const models = new WeakMap();

/** A `draw` for `keyed` that keeps the node of an item that is as it was. */
export function unlessSame(draw) {
  return (item, old) => {
    const model = JSON.stringify(item);
    if (old && models.get(old) === model) return old;
    const node = draw(item, old);
    models.set(node, model);
    return node;
  };
}

/** A word in a tone: good, bad, warn, accent or quiet. */
export function mark(text, tone) {
  return h("span", { class: `mark ${tone}`, text });
}

export function state(status) {
  const [word, tone] = own(STATES, status) ?? [status, "quiet"];
  return mark(word, tone);
}

/** A wire time as the reader's own time; the title has it as it came. */
export function shownTime(stamp, now = Date.now()) {
  const at = moment(stamp);
  if (Number.isNaN(at)) return h("span", { class: "quiet", text: "not set" });
  return h("time", { dateTime: new Date(at).toISOString(), title: stamp, text: clock(at, now) });
}

/** Names and values; what is empty is left out. Values are text or nodes. */
export function facts(pairs) {
  const filled = pairs.filter(([, value]) => value || value === 0);
  return h("dl", { class: "facts" }, filled.map(([name, value]) => [h("dt", {}, name), dd(value)]));
}

function dd(value) {
  return h("dd", {}, value instanceof Node ? value : String(value));
}

export function code(value) {
  return h("pre", { class: "code", text: pretty(value) });
}

/** A part of a detail that is drawn again when its `model` differs. */
export function part(title, model, draw) {
  const section = () => h("section", { class: "part" }, h("h3", {}, title), draw(model));
  return { title, draw: (old) => unlessSame(section)(model, old) };
}

/** A part that is drawn once and then left to itself: a form, a list with a life of its own. */
export function lastingPart(title, draw) {
  return { title, draw: (old) => old ?? h("section", { class: "part" }, draw()) };
}

/** A part that is a list, each item drawn again when it differs; `none` is said of no items. */
export function listPart(title, items, key, draw, none) {
  const empty = () => h("p", { class: "quiet", text: none });
  const section = () =>
    h("section", { class: "part" }, h("h3", {}, title), empty(), h("ol", { class: "items" }));
  return {
    title,
    draw(old = section()) {
      const [, sentence, list] = old.children;
      sentence.hidden = items.length > 0;
      keyed(list, items, key, unlessSame(draw));
      return old;
    },
  };
}

/** What happened to an object, newest first. */
export function history(events = [], now) {
  const numbered = events.map((event, number) => ({ ...event, number })).reverse();
  return listPart("History", numbered, (event) => event.number, (event) => happened(event, now),
    "Nothing happened yet.");
}

function happened(event, now) {
  const title = event.what.charAt(0).toUpperCase() + event.what.slice(1);
  return h("li", { class: "event" },
    shownTime(event.at, now),
    h("p", {}, h("strong", {}, title), " ", author(event)),
    event.detail && h("pre", { class: "said", text: event.detail }));
}
