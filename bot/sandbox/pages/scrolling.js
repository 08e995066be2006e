// A list that reads from the bottom: it stays there while it grows, and stays put above it.

import { h } from "./dom.js";

const NEAR = 32; // pixels from the end that still count as the end

/** The scrolled area around `list`, with a button that tells of what came below it. */
export class Scroll {
  constructor(list) {
    const on = { click: () => this.toEnd() };
    this.pill = h("button", { class: "pill", type: "button", hidden: true, on },
      "New messages below ↓");
    this.area = h("div", { class: "scroller", on: { scroll: () => this.scrolled() } }, list);
    this.node = h("div", { class: "reading" }, this.area, this.pill);
    this.last = 0;
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
  }

  /** Something was added below. */
  grew() {
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
