// Where a person writes: text, files, completion, and what is kept when sending fails.

import { h } from "../shared/dom.js";
import { Suggestions } from "./completion.js";
import { Chips } from "./files.js";
import { draftOf, filesOf, keepDraft } from "./input_state.js";

/** The box under a conversation. */
export class Composer {
  /**
   * `ways`: {offers(before, place), hint(text), refusal({text, files}, place), upload(file),
   * send(place, text, files) → Promise<boolean>, shortcuts(button)}; `id` is the text field's.
   */
  constructor(id, ways) {
    this.ways = ways;
    this.field = h("textarea", { id, rows: 1, on: {
      input: () => this.typed(),
      keydown: (event) => this.onKey(event),
      paste: (event) => this.attach(event, event.clipboardData),
    } });
    this.name = h("label", { class: "only-heard", htmlFor: id });
    this.hint = h("p", { class: "hint quiet" });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.closed = h("p", { class: "closed quiet" });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, on: {
      change: () => this.picked(),
    } });
    this.submit = h("button", { class: "primary", type: "submit" }, "Send");
    this.chips = new Chips((file) => ways.upload(file), () => this.ready());
    this.suggestions = new Suggestions(this.field, (before) => ways.offers(before, this.place));
    this.form = this.drawForm();
    this.node = h("div", { class: "composer" }, this.form, this.closed);
  }

  drawForm() {
    const on = {
      submit: (event) => this.send(event),
      dragover: (event) => event.preventDefault(),
      drop: (event) => this.attach(event, event.dataTransfer),
    };
    return h("form", { on },
      this.problem, this.suggestions.node, this.name, this.field, this.chips.node, this.picker,
      h("div", { class: "row" }, this.buttons(), this.hint, this.submit));
  }

  buttons() {
    const attach = h("button", { class: "bare", type: "button", on: {
      click: () => this.picker.click(),
    } }, "📎 Attach");
    const shortcuts = h("button", {
      class: "bare", type: "button", "aria-haspopup": "menu", "aria-expanded": "false",
      on: { click: (event) => this.ways.shortcuts(event.currentTarget) },
    }, "⚡ Shortcuts");
    return this.ways.shortcuts ? [attach, shortcuts] : [attach];
  }

  /** Write in another conversation; `closed` says why one cannot, if so. */
  at(key, place, label, closed) {
    this.place = place;
    this.closed.textContent = closed;
    this.closed.hidden = !closed;
    this.form.hidden = Boolean(closed);
    if (this.key === key) return;
    this.key = key;
    this.name.textContent = label;
    this.field.placeholder = label;
    this.open();
  }

  open() {
    this.field.value = draftOf(this.key);
    this.problem.textContent = "";
    this.chips.show(filesOf(this.key));
    this.suggestions.close();
    this.fit();
  }

  focus() {
    this.field.focus();
  }

  typed() {
    keepDraft(this.key, this.field.value);
    this.problem.textContent = "";
    this.suggestions.refresh();
    this.fit();
  }

  fit() {
    this.hint.textContent = this.ways.hint(this.field.value, this.place);
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
    this.ready();
  }

  ready() {
    const anything = this.field.value.trim() || this.chips.chips.length;
    this.submit.disabled = !anything || this.chips.uploading;
  }

  onKey(event) {
    if (this.suggestions.took(event)) return;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.form.requestSubmit();
  }

  picked() {
    this.add(this.picker.files);
    this.picker.value = "";
  }

  attach(event, { files }) {
    if (!files.length) return;
    event.preventDefault();
    this.add(files);
  }

  async add(files) {
    try {
      await this.chips.add(files);
    } catch (error) {
      this.problem.textContent = `Not attached: ${error.message}`;
    }
  }

  async send(event) {
    event.preventDefault();
    const { place, key } = this;
    const text = this.field.value;
    if (this.submit.disabled) return;
    this.problem.textContent = this.ways.refusal({ text, files: this.chips.chips }, place);
    if (this.problem.textContent) return;
    keepDraft(key, "");
    const files = this.chips.take();
    this.open();
    if (!(await this.ways.send(place, text, files))) this.giveBack(key, text, files);
  }

  /** What could not be sent is a draft again, before what was written since. */
  giveBack(key, text, files) {
    keepDraft(key, [text, draftOf(key)].filter(Boolean).join("\n"));
    filesOf(key).unshift(...files);
    if (key === this.key) this.open();
  }
}
