// The pane of the one object that is open.

import { h, keyed } from "./dom.js";
import { Requests } from "./console_requests.js";
import { lastingPart } from "./console_parts.js";

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
    this.none.textContent = id ? `There is no ${this.noun} ${id}.` : `Choose a ${this.noun}.`;
    this.heading.hidden = !object;
    const name = object?.name ?? "";
    if (this.heading.textContent !== name) this.heading.textContent = name;
    drawParts(this.left, object ? this.parts(object, view) : []);
    drawParts(this.right, object ? [this.past(object, view), this.asked()] : []);
    // What had the focus may be gone by what happened.
    if (had && document.activeElement === document.body) this.focus();
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
