// The modals a person has open: the one on top is shown, with what they typed in it.

import { h } from "../shared/dom.js";
import { act } from "./actions.js";
import { failure, isMistake } from "./notices.js";
import {
  firstControl, focusAgain, focusWithin, forget, placeOf, submission,
} from "./input_state.js";
import { drawView } from "./views.js";

/** The dialog for modals. */
export class Modals {
  /** `base`: what blocks are drawn with; `look()` waits for what the server shows now. */
  constructor(dialog, base, look) {
    Object.assign(this, { dialog, base, look });
    this.views = [];
    this.notice = h("p", { class: "problem", role: "alert" });
    dialog.addEventListener("cancel", (event) => this.refuseToGo(event));
    dialog.addEventListener("close", () => this.top && !dialog.open && this.close());
    document.addEventListener("focusin", ({ target }) => this.remember(target));
  }

  get top() {
    return this.views.at(-1);
  }

  /** Where to go back to is where the keyboard was before the first modal came. */
  remember(element) {
    if (!element.closest("dialog, [popover]")) this.before = placeOf(element);
  }

  /** Show a person's stack of views, the last on top. */
  show(user, views) {
    const old = this.top;
    for (const view of this.views) if (!views.some(({ id }) => id === view.id)) forget(view.id);
    Object.assign(this, { user, views });
    if (this.top) this.showTop(old);
    else if (old) this.hide();
  }

  showTop(old) {
    const again = old?.id === this.top.id;
    const look = JSON.stringify([this.top.hash, this.top.errors, this.views.length]);
    if (again && look === this.shown) return this.open();
    this.shown = look;
    return this.draw(again);
  }

  /** A second Escape closes a dialog whatever the page says. */
  open() {
    if (!this.dialog.open) this.dialog.showModal();
  }

  hide() {
    this.dialog.close();
    this.dialog.replaceChildren();
    if (this.before) focusAgain(this.before);
  }

  draw(again) {
    const focus = focusWithin(this.dialog);
    if (!again) this.reset();
    this.dialog.replaceChildren(this.form());
    this.open();
    const invalid = this.dialog.querySelector("[aria-invalid=true]");
    if (invalid) invalid.focus();
    else if (again && focus) focusAgain(focus, this.dialog);
    else this.focusFirst();
  }

  reset() {
    this.busy = false;
    this.notice.textContent = "";
  }

  focusFirst() {
    const first = firstControl(this.blocks) ?? this.dialog.querySelector("footer button");
    first?.focus();
  }

  form() {
    const failed = (words) => this.say(words);
    this.blocks = drawView(this.top, { user: this.user, base: this.base(), failed });
    const footer = h("footer", {}, this.closing(), this.submitting());
    return h("form", { noValidate: true, on: { submit: (event) => this.submit(event) } },
      this.heading(), h("div", { class: "inside" }, this.blocks, this.notice), footer);
  }

  heading() {
    const below = this.views.at(-2);
    const label = below ? `Back to ${below.title.text}` : "Close";
    const away = h("button", {
      class: "bare", type: "button", "aria-label": label, on: { click: () => this.close() },
    }, below ? "←" : "✕");
    return h("header", { class: below ? "stacked" : "" },
      h("h2", { id: "modal-title" }, this.top.title.text), away);
  }

  closing() {
    const words = this.top.close?.text ?? "Cancel";
    return h("button", { type: "button", on: { click: () => this.close() } }, words);
  }

  submitting() {
    this.button = null;
    if (!this.top.submit) return null;
    this.button = h("button", { class: "primary", type: "submit" }, this.top.submit.text);
    this.showBusy();
    return this.button;
  }

  /** The button keeps the focus while the app works. */
  showBusy() {
    if (!this.button) return;
    this.button.setAttribute("aria-disabled", `${this.busy}`);
    this.button.textContent = this.busy ? "Sending…" : this.top.submit.text;
  }

  say(words) {
    this.notice.textContent = words;
    this.notice.scrollIntoView({ block: "nearest" });
  }

  async submit(event) {
    event.preventDefault();
    if (this.busy || !this.top.submit) return;
    const { user, top } = this;
    this.setBusy(true);
    this.say("");
    const error = await act("submit", { user, view_id: top.id, values: submission(top) });
    await this.look();
    if (this.top?.id !== top.id) return;
    this.setBusy(false);
    if (error && !isMistake(error)) this.say(failure(top.submit.text, error));
  }

  setBusy(busy) {
    this.busy = busy;
    this.showBusy();
  }

  refuseToGo(event) {
    event.preventDefault();
    this.close();
  }

  async close() {
    const { user, top } = this;
    const error = await act("close", { user, view_id: top.id });
    await this.look();
    if (error && this.top?.id === top.id) this.say(failure("Closing", error));
  }
}
