// Selects: a combobox that filters as one types.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

import { h } from "../shared/dom.js";
import { moved, openBeside } from "../shared/popup.js";
import { control, described, held, newId, removing, use } from "./control.js";
import { drawText } from "./mrkdwn.js";

/** A combobox that filters as one types; `groups` are [{label, options: [{value, text}]}]. */
class Picker {
  constructor(slot, groups, several) {
    Object.assign(this, { slot, groups, several, active: -1, close: () => {} });
    this.chosen = [held(slot) ?? []].flat();
    const many = several ? { "aria-multiselectable": "true" } : {};
    const list = { class: "popup options", id: newId(), role: "listbox", popover: "manual" };
    this.list = h("div", { ...list, ...many, "aria-label": "Options" });
    this.input = h("input", { ...control(slot), ...this.asCombobox() });
    this.chips = h("ul", { class: "chips", "aria-label": "Chosen" });
    this.node = h("div", { class: "picker" }, several ? this.chips : null, this.input, this.list);
    this.listen();
    this.show();
  }

  asCombobox() {
    return {
      role: "combobox",
      type: "text",
      autocomplete: "off",
      spellcheck: false,
      placeholder: this.slot.element.placeholder?.text ?? "Choose…",
      "aria-autocomplete": "list",
      "aria-controls": this.list.id,
      "aria-expanded": "false",
    };
  }

  listen() {
    this.input.addEventListener("focus", () => this.input.select());
    this.input.addEventListener("click", () => this.open(""));
    this.input.addEventListener("input", () => this.open(this.input.value));
    this.input.addEventListener("blur", () => this.leave());
    this.input.addEventListener("keydown", (event) => this.key(event));
    // The focus stays in the input while the pointer picks from the list.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  get isOpen() {
    return this.list.matches(":popover-open");
  }

  get options() {
    return this.groups().flatMap((group) => group.options);
  }

  nameOf(chosen) {
    return this.options.find((option) => option.value === chosen)?.name ?? chosen;
  }

  show() {
    this.leave();
    this.chips.replaceChildren(...this.chosen.map((each) => this.chip(each)));
  }

  /** Close, and put what is chosen in place of what was typed. */
  leave() {
    this.close();
    const [one] = this.several ? [] : this.chosen;
    this.input.value = one === undefined ? "" : this.nameOf(one);
  }

  chip(chosen) {
    const name = this.nameOf(chosen);
    const remove = () => {
      this.input.focus();
      this.toggle(chosen);
    };
    return h("li", {}, name, removing(name, remove));
  }

  open(typed) {
    this.draw(typed.trim().toLowerCase());
    if (!this.isOpen) this.close = openBeside(this.input, this.list, () => this.point(-1));
  }

  draw(typed) {
    const fits = ({ name }) => name.toLowerCase().includes(typed);
    this.shown = [];
    const groups = this.groups().map((group) => this.group(group, group.options.filter(fits)));
    const none = h("div", { class: "quiet", role: "option", "aria-disabled": "true" }, "No match");
    this.list.replaceChildren(...(this.shown.length ? groups : [none]));
    this.point(typed && this.shown.length ? 0 : -1);
  }

  group({ label }, options) {
    const lines = options.map((option) => this.option(option));
    if (!label) return h("div", {}, lines);
    const name = h("div", { class: "label quiet", role: "presentation", text: label });
    return h("div", { role: "group", "aria-label": label, hidden: !lines.length }, name, lines);
  }

  option(option) {
    const selected = String(this.chosen.includes(option.value));
    const props = { role: "option", id: newId(), "aria-selected": selected };
    const node = h("div", props, option.draw());
    node.addEventListener("click", () => this.pick(option.value));
    this.shown.push({ node, value: option.value });
    return node;
  }

  /** Make the option at `at` the one that Enter picks; none for -1. */
  point(at) {
    this.shown[this.active]?.node.classList.remove("active");
    this.active = at;
    const node = this.shown[at]?.node;
    node?.classList.add("active");
    node?.scrollIntoView({ block: "nearest" });
    if (node) this.input.setAttribute("aria-activedescendant", node.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.key === "Backspace" && !this.input.value) this.dropLast();
    else if (this.isOpen && (event.key === "Enter" || event.key === "Escape")) this.finish(event);
    else if (this.isOpen || event.key.startsWith("Arrow")) this.step(event);
  }

  step(event) {
    if (!this.isOpen && moved(event.key, 0, 1) !== undefined) this.open("");
    const to = moved(event.key, this.active, this.shown?.length ?? 0);
    if (to === undefined || Number.isNaN(to)) return;
    event.preventDefault();
    this.point(to);
  }

  finish(event) {
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") this.leave();
    else if (this.active >= 0) this.pick(this.shown[this.active].value);
  }

  dropLast() {
    if (this.several && this.chosen.length) this.toggle(this.chosen.at(-1));
  }

  async pick(picked) {
    if (!this.several) return this.commit([picked], picked);
    await this.toggle(picked);
    const goesOn = this.slot.block.type === "input" && document.activeElement === this.input;
    return goesOn && this.open("");
  }

  toggle(picked) {
    const rest = this.chosen.filter((each) => each !== picked);
    const next = rest.length < this.chosen.length ? rest : [...this.chosen, picked];
    const most = this.slot.element.max_selected_items ?? Infinity;
    return next.length > most ? undefined : this.commit(next, next);
  }

  async commit(chosen, entered) {
    const before = this.chosen;
    this.chosen = chosen;
    this.show();
    if (await use(this.slot, this.node, entered)) return;
    this.chosen = before;
    this.show();
  }
}

/** A select of one or several among the groups that `groupsOf(slot)` gives. */
export function picker(several, groupsOf) {
  return (slot) => new Picker(slot, () => groupsOf(slot), several).node;
}

export function staticGroups({ element: { options, option_groups: groups }, context }) {
  const drawn = (option) => ({
    value: option.value,
    name: option.text.text,
    draw: () => [drawText(option.text, context), described(option, context)],
  });
  if (!groups) return [{ options: options.map(drawn) }];
  return groups.map((group) => ({ label: group.label.text, options: group.options.map(drawn) }));
}

export function peopleGroup({ context }) {
  return [{ options: context.people().map(named("@")) }];
}

export function channelGroup({ context }) {
  return [{ options: context.channels().map(named("#")) }];
}

function named(sign) {
  return ({ id, name }) => ({ value: id, name: sign + name, draw: () => [sign + name] });
}

/** A select whose options only the app knows. */
export function externalSelect(slot) {
  const note = newId();
  const props = { ...control(slot), ...{ disabled: true, type: "text", "aria-describedby": note } };
  const node = h("input", { ...props, placeholder: slot.element.placeholder?.text });
  const text = "This stand-in asks no app for options.";
  return h("div", { class: "picker" }, node, h("small", { class: "quiet", id: note, text }));
}
