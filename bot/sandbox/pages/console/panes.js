// A list to choose one object from, by text, by state and at a glance, and the pane of the one that
// is open.

import { h, keyed } from "../shared/dom.js";
import { lastingPart, mark, state, unlessSame } from "./parts.js";
import { Requests } from "./requests.js";
import { STATES } from "./words.js";

/**
 * A list of objects. `noun` is "task" or "instance"; `states` are in the order of their choices;
 * `row(object, now)` returns {rank, at, mark, about}: the highest rank comes first, then the
 * latest `at`; `said(object)` is what the text filter looks through; `tools` are nodes.
 */
export class List {
  constructor({ noun, title, states, row, said, tools, changed }) {
    this.noun = noun;
    this.row = row;
    this.said = said;
    this.states = ["", ...states];
    this.chosen = "";
    this.drawn = [[], { found: 0, counts: {} }, "", 0];
    const again = () => {
      this.draw(...this.drawn);
      changed();
    };
    this.text = h("input", { type: "search", placeholder: "Filter", on: { input: again },
      "aria-label": `Filter ${title.toLowerCase()} by text` });
    this.choices = h("div", { class: "choices", role: "group", "aria-label": "State" });
    this.shown = h("p", { class: "quiet shown", role: "status" });
    this.rows = h("ul", { class: "rows" });
    this.node = h("section", { class: "list", "aria-label": title },
      h("div", { class: "tools" }, this.text, tools, this.choices, this.shown), this.rows);
    this.choices.addEventListener("click", (event) => this.choose(event.target, again));
  }

  choose(target, again) {
    if (target.dataset.state === undefined) return;
    this.chosen = target.dataset.state;
    again();
  }

  /** What the server is to look for, so that it finds what is not among the newest. */
  get filter() {
    return { noun: this.noun, status: this.chosen, text: this.text.value.trim() };
  }

  /**
   * Show `objects`, the newest of those that were found; `totals` has how many were `found`, and
   * the `counts` of all there are by status. `selected` is the id of the one that is open, `now`
   * the server's time.
   */
  draw(objects, totals, selected, now) {
    this.drawn = [objects, totals, selected, now];
    this.drawChoices(totals.counts);
    const matching = objects.filter((object) => this.lets(object));
    const text = shownOf(matching.length, totals.found - objects.length, total(totals.counts));
    if (this.shown.textContent !== text) this.shown.textContent = text;
    const rows = matching.map((object) => this.model(object, selected, now)).sort(firstFirst);
    keyed(this.rows, rows, (row) => row.id, unlessSame((row, old) => this.drawRow(row, old)));
    if (selected !== this.selected) this.reveal(selected);
  }

  /** Bring the row of what was opened from elsewhere into view. */
  reveal(selected) {
    this.selected = selected;
    this.rows.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  lets(object) {
    const text = this.text.value.trim().toLowerCase();
    return (
      ["", object.status].includes(this.chosen) &&
      [object.id, ...this.said(object)].some((said) => (said ?? "").toLowerCase().includes(text))
    );
  }

  model(object, selected, now) {
    const { id, name, status } = object;
    return { id, name, status, open: id === selected, ...this.row(object, now) };
  }

  /** The link of a row stays when the row changes, and so does the focus on it. */
  drawRow({ id, name, status, open, mark: noted, about }, old) {
    const href = `#${this.noun}/${encodeURIComponent(id)}`;
    const row = old ?? h("li", {}, h("a", { href, data: { id } }));
    const anchor = row.firstChild;
    if (open) anchor.setAttribute("aria-current", "true");
    else anchor.removeAttribute("aria-current");
    anchor.replaceChildren(
      h("span", { class: "name" }, name),
      h("span", { class: "marks" }, state(status), noted ? mark(noted.text, noted.tone) : ""),
      h("span", { class: "quiet about" }, about));
    return row;
  }

  drawChoices(byStatus) {
    const counts = { ...byStatus, "": total(byStatus) };
    const offered = this.states.filter((one) => counts[one] || one === this.chosen || !one);
    const choices = offered.map((one) => [one, counts[one] ?? 0, one === this.chosen]);
    keyed(this.choices, choices, ([one]) => one, drawChoice);
  }

  /** Put the focus on an object's row, if it is shown. */
  focus(id) {
    this.rows.querySelector(`a[data-id="${CSS.escape(id)}"]`)?.focus();
  }
}

function total(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** How many rows there are, where there are more objects: `more` were found and not sent. */
function shownOf(shown, more, all) {
  if (more > 0) return `The newest ${shown} are shown; there are ${more.toLocaleString("en")} more.`;
  return shown === all ? "" : `${shown} of ${all} shown`;
}

function drawChoice([status, count, chosen], old) {
  const button = old ?? h("button", { type: "button", data: { state: status } });
  const text = `${status ? STATES[status][0] : "All"} ${count}`;
  if (button.textContent !== text) button.textContent = text;
  button.setAttribute("aria-pressed", String(chosen));
  return button;
}

function firstFirst(one, other) {
  return other.rank - one.rank || other.at - one.at;
}

/**
 * The detail of one object. `parts(object, view)` and `past(object, view)` give its parts and
 * its history; `changed` asks for another reading of the server, `name` names an id.
 */
export class Detail {
  constructor({ noun, title, parts, past, changed, name }) {
    Object.assign(this, { noun, parts, past, changed, name, id: null, requests: null });
    this.heading = h("h2", { tabIndex: -1 });
    this.back = h("a", { class: "back", href: `#${noun}s` }, `‹ ${title}`);
    this.left = h("div", { class: "column" });
    this.right = h("div", { class: "column" });
    this.none = h("p", { class: "quiet none" });
    this.node = h("section", { class: "detail", "aria-label": `The ${noun}` },
      this.back, this.none, this.heading, h("div", { class: "columns" }, this.left, this.right));
  }

  /** Show `object`; null for no object, `id` being what was looked for. */
  draw(object, id, view) {
    if (id !== this.id) this.renew(id);
    const had = this.node.contains(document.activeElement);
    this.none.hidden = Boolean(object);
    this.none.textContent = id ? this.missing(id, view) : `Choose one of the ${this.noun}s.`;
    this.heading.hidden = !object;
    const name = object?.name ?? "";
    if (this.heading.textContent !== name) this.heading.textContent = name;
    drawParts(this.left, object ? this.parts(object, view) : []);
    drawParts(this.right, object ? [this.past(object, view), this.asked()] : []);
    // What had the focus may be gone by what happened.
    if (had && document.activeElement === document.body) this.focus();
  }

  /** An object that is not among the newest is known once the server was asked for it. */
  missing(id, { state }) {
    return id === state.looking.open ? `There is no ${this.noun} ${id}.` : "";
  }

  renew(id) {
    this.id = id;
    this.left.replaceChildren();
    this.right.replaceChildren();
    const { changed, name } = this;
    this.requests = id && new Requests({ target: id, title: "Requests", changed, name });
    this.node.scrollTop = 0;
  }

  asked() {
    return lastingPart("Requests", () => this.requests.content);
  }

  focus() {
    this.heading.focus({ preventScroll: true });
  }
}

function drawParts(column, parts) {
  keyed(column, parts, (part) => part.title, (part, old) => part.draw(old));
}
