// What a composer offers to complete: the app's commands, and whom or what one can name.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

import { h } from "../shared/dom.js";
import { kindOf } from "./workspace.js";

const MOST = 8;
const SPECIALS = [
  { insert: "@here", name: "here", detail: "everybody who is active in this channel" },
  { insert: "@channel", name: "channel", detail: "everybody in this channel" },
  { insert: "@everyone", name: "everyone", detail: "everybody in the workspace" },
];

/**
 * What may complete `before`, the text before the caret: {start, rows: [{insert, name, detail}]},
 * `start` being where the word begins that a row replaces; null when nothing may.
 */
export function offers(before, { workspace, place, channels }) {
  const command = /^\/\S*$/.exec(before);
  if (command && !place.thread) return offered(0, command[0], commands(workspace));
  const word = /(?:^|[\s(])([@#][\w.-]*)$/.exec(before)?.[1];
  if (!word) return null;
  const all = word[0] === "@" ? mentions(workspace) : named(channels);
  return offered(before.length - word.length, word, all);
}

function offered(start, word, all) {
  const prefix = word.toLowerCase();
  const rows = all.filter((row) => matches(row, prefix)).slice(0, MOST);
  return rows.length ? { start, rows } : null;
}

function matches({ insert, name }, prefix) {
  return insert.toLowerCase().startsWith(prefix) ||
    (prefix[0] !== "/" && name.toLowerCase().startsWith(prefix.slice(1)));
}

function commands({ app }) {
  return app.commands.map(({ command, description, usage_hint: hint }) => ({
    insert: command, name: command, detail: description, hint,
  }));
}

function mentions({ everybody, groups }) {
  return [
    ...everybody.map((one) => ({ insert: `@${one.handle}`, name: one.name, detail: kindOf(one) })),
    ...groups.map((one) => ({ insert: `@${one.handle}`, name: one.name, detail: "group" })),
    ...SPECIALS,
  ];
}

function named(channels) {
  return channels
    .filter((channel) => channel.kind !== "im")
    .map(({ name }) => ({ insert: `#${name}`, name, detail: "channel" }));
}

const STEPS = { ArrowDown: 1, ArrowUp: -1 };
const TAKES = ["Enter", "Tab"];

/** Offers for `field`; `look(before)` says which there are for the text before the caret. */
export class Suggestions {
  constructor(field, look) {
    this.field = field;
    this.look = look;
    this.node = h("ul", {
      class: "suggestions", id: `${field.id}-offers`, role: "listbox", "aria-label": "Suggestions",
      hidden: true,
    });
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.node.id);
    field.addEventListener("blur", () => this.close());
  }

  /** Look again at what is written. */
  refresh() {
    const { value, selectionStart } = this.field;
    this.found = this.look(value.slice(0, selectionStart));
    this.at = 0;
    this.draw();
  }

  close() {
    this.found = null;
    this.draw();
  }

  draw() {
    const rows = this.found?.rows ?? [];
    this.node.hidden = rows.length === 0;
    this.node.replaceChildren(...rows.map((row, at) => this.row(row, at)));
    if (rows.length) this.field.setAttribute("aria-activedescendant", this.idOf(this.at));
    else this.field.removeAttribute("aria-activedescendant");
    this.node.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  row({ insert, name, detail, hint }, at) {
    // The field keeps the focus: what is pressed here must not take it.
    const on = { mousedown: (event) => event.preventDefault(), click: () => this.take(at) };
    return h("li", { id: this.idOf(at), role: "option", "aria-selected": `${at === this.at}`, on },
      h("strong", {}, insert),
      name === insert ? null : h("span", {}, name),
      hint ? h("code", {}, hint) : null,
      h("span", { class: "quiet" }, detail));
  }

  idOf(at) {
    return `${this.node.id}-${at}`;
  }

  /** Whether a key was meant for the list. */
  took(event) {
    if (!this.found || event.isComposing) return false;
    if (event.key === "Escape") this.close();
    else if (event.key in STEPS) this.step(STEPS[event.key]);
    else if (TAKES.includes(event.key) && !event.shiftKey) this.take(this.at);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  step(by) {
    const { length } = this.found.rows;
    this.at = (this.at + by + length) % length;
    this.draw();
  }

  take(at) {
    const { start, rows } = this.found;
    const { field } = this;
    field.setRangeText(`${rows[at].insert} `, start, field.selectionStart, "end");
    this.close();
    field.dispatchEvent(new Event("input"));
  }
}
