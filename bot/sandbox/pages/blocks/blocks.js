// How Slack's blocks are drawn and used: layout, buttons, menus, pickers, inputs, confirmations.
// https://docs.slack.dev/reference/block-kit

import { h, link, safe } from "./dom.js";
import { drawMarkdown, drawRichText, drawTable, drawText, isoDay, twoDigits } from "./mrkdwn.js";

export { drawMrkdwn, drawText } from "./mrkdwn.js";

const LONG_TEXT = { letters: 1500, lines: 25 }; // beyond it a section asks before it shows all
const NEAR_LIMIT = 100; // letters left from which an input counts them
const GAP = 6; // pixels between a control and its list

let made = 0;

function newId() {
  made += 1;
  return `blocks-${made}`;
}

/** Draw blocks; returns an array of nodes. What cannot be drawn says so in its place. */
export function drawBlocks(blocks, context) {
  return [blocks ?? []].flat().map((block) => drawBlock(block, context));
}

function drawBlock(block, context) {
  const node = drawnOrNot(block, context);
  node.classList.add("block");
  node.dataset.blockId = block?.block_id ?? "";
  return node;
}

function drawnOrNot(block, context) {
  try {
    const draw = BLOCKS.get(block.type);
    return draw ? draw(block, context) : cannotDraw(block.type, "block");
  } catch (error) {
    const kind = typeof block?.type === "string" ? `“${block.type}” block` : "block";
    return h("p", { class: "undrawn", title: error.message }, `This ${kind} can't be read`);
  }
}

function cannotDraw(type, what) {
  return h("p", { class: "undrawn" }, `This stand-in can't draw a “${type}” ${what} yet`);
}

// Layout.

const BLOCKS = new Map(
  Object.entries({
    actions: (block, context) => h("div", { class: "actions" }, drawElements(block, context)),
    alert,
    context: contextBlock,
    context_actions: (block, context) => h("div", { class: "actions" }, feedback(block, context)),
    divider: () => h("hr"),
    file: ({ external_id: id }) => h("p", { class: "quiet" }, `📄 File ${id}`),
    header: ({ text }, context) => h("h3", { class: "header" }, drawText(text, context)),
    image,
    input,
    markdown: ({ text }, context) => h("div", { class: "rich" }, drawMarkdown(text, context)),
    rich_text: richText,
    section,
    table,
    video,
  }),
);

function section(block, context) {
  const { text, fields, accessory } = block;
  if (!text && !fields) throw new TypeError("a section has either text or fields");
  const id = newId();
  const said = [
    text ? passage(block, context) : null,
    fields ? h("div", { class: "fields" }, fields.map((each) => cell(each, context))) : null,
  ];
  const body = h("div", { class: "words", id }, said);
  if (!accessory) return h("div", { class: "section" }, body);
  const slot = { block, element: accessory, context, aria: { "aria-labelledby": id } };
  return h("div", { class: "section" }, body, h("div", { class: "accessory" }, drawElement(slot)));
}

function cell(text, context) {
  return h("div", { class: "field" }, drawText(text, context));
}

function richText({ elements }, context) {
  return h("div", { class: "rich" }, drawRichText(elements, context));
}

function passage({ text, expand }, context) {
  const words = h("div", { id: newId() }, drawText(text, context));
  const lines = text.text.split("\n").length;
  const short = text.text.length <= LONG_TEXT.letters && lines <= LONG_TEXT.lines;
  return expand || short ? words : folded(words);
}

function folded(words) {
  words.className = "folded";
  const more = h("button", { type: "button", class: "bare unfold" });
  const show = (all) => {
    words.classList.toggle("all", all);
    more.setAttribute("aria-expanded", String(all));
    more.textContent = all ? "Show less" : "Show more";
  };
  more.setAttribute("aria-controls", words.id);
  more.addEventListener("click", () => show(!words.classList.contains("all")));
  show(false);
  return [words, more];
}

function contextBlock({ elements }, context) {
  return h("div", { class: "context" }, elements.map((each) => contextPart(each, context)));
}

function contextPart(element, context) {
  if (element.type === "image") return picture(element, "small");
  return h("span", { class: "part" }, drawText(element, context));
}

const ALERTS = new Map([
  ["info", "ℹ️"],
  ["warning", "⚠️"],
  ["error", "⛔"],
  ["success", "✅"],
]);

// https://docs.slack.dev/reference/block-kit/blocks/alert-block
function alert({ level, text }, context) {
  const sign = ALERTS.get(level);
  const mark = sign ? h("span", { role: "img", "aria-label": level, text: sign }) : null;
  const known = sign ? `alert ${level}` : "alert";
  return h("div", { class: known, role: "note" }, mark, h("div", {}, drawText(text, context)));
}

function image(block, context) {
  const caption = block.title ? h("figcaption", {}, drawText(block.title, context)) : null;
  return h("figure", { class: "image" }, caption, picture(block, "large"));
}

/** A picture this page may load; its words where there is none, or it turns out broken. */
function picture({ image_url: url = "", alt_text: alt }, size) {
  const words = h("span", { class: "broken", role: "img", "aria-label": alt, text: `🖼 ${alt}` });
  const shown = safe(url);
  if (!shown.startsWith("https:") && !shown.startsWith(`${location.origin}/`)) return words;
  const props = { class: size, src: shown, alt, loading: "lazy", referrerPolicy: "no-referrer" };
  const node = h("img", props);
  node.addEventListener("error", () => node.replaceWith(words));
  return node;
}

function video({ title, title_url: url, alt_text: alt, description }, context) {
  const name = drawText(title, context);
  const about = description ? h("p", { class: "quiet" }, drawText(description, context)) : null;
  return h("div", { class: "video", title: alt }, "▶ ", url ? link(url, name) : name, about);
}

function table({ rows, column_settings: columns = [] }, context) {
  const drawn = rows.map((row) => row.map((each) => tableCell(each, context)));
  return drawTable(drawn, columns);
}

function tableCell({ type, text, elements }, context) {
  if (type === "rich_text") return drawRichText(elements, context);
  if (type !== "raw_text") throw new TypeError(`a table has no ${type}`);
  return [text];
}

// An interactive element knows its slot: the block it stands in, itself, the page's context, and
// the aria attributes that name it there.

function drawElements(block, context) {
  return block.elements.map((element) =>
    drawElement({ block, element, context, aria: { "aria-label": kindOf(element) } }),
  );
}

function kindOf({ type, placeholder }) {
  return placeholder?.text ?? type.replaceAll("_", " ");
}

function drawElement(slot) {
  const { type } = slot.element;
  const draw = ELEMENTS.get(type);
  return draw ? draw(slot) : cannotDraw(type, "element");
}

/** What every control carries: its name for people and for tests, and what is wrong with it. */
function control({ element, aria }) {
  return {
    ...aria,
    autofocus: element.focus_on_load === true,
    data: { actionId: element.action_id ?? "" },
  };
}

const bare = (option) => option?.value ?? option;
const bareAll = (given) => (Array.isArray(given) ? given.map(bare) : bare(given));

/** What the element holds: what was entered, else what it began with. */
function held({ block, element, context }) {
  const entered = context.entered(block, element);
  if (entered !== undefined) return bareAll(entered);
  const first = Object.keys(element).find((key) => key.startsWith("initial_"));
  return bareAll(element[first]);
}

/** Tell the page of a use, after its confirmation; false when that was refused. */
async function use({ block, element, context }, node, entered, url = "") {
  if (node.getAttribute("aria-busy") === "true") return false;
  if (element.confirm && !(await ask(element.confirm, context))) return false;
  if (safe(url)) window.open(safe(url), "_blank", "noopener,noreferrer");
  if (block.type === "input") context.fill(block, element, entered);
  else await busy(node, () => context.press(block, element, entered));
  return true;
}

async function busy(node, work) {
  const focused = document.activeElement;
  const inside = node.querySelectorAll("button, input, textarea");
  const controls = [node, ...inside].filter((each) => each.disabled === false);
  const hold = (on) => {
    node.setAttribute("aria-busy", String(on));
    for (const each of controls) each.disabled = on;
  };
  hold(true);
  try {
    return await work();
  } finally {
    hold(false);
    // A browser takes the focus from what is disabled.
    if (node.contains(focused) && document.activeElement === document.body) focused.focus();
  }
}

/**
 * Ask a confirm object's question in a modal dialog; resolves true or false. Esc is false.
 * https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
 */
export function ask({ title, text, confirm, deny, style }, context) {
  const [name, about] = [newId(), newId()];
  const words = (object, otherwise) => (object ? drawText(object, context) : otherwise);
  const look = style === "danger" ? "danger solid" : "primary";
  const no = h("button", { type: "button" }, words(deny, "Cancel"));
  const yes = h("button", { type: "button", class: look }, words(confirm, "Yes"));
  const dialog = h(
    "dialog",
    { class: "ask", role: "alertdialog", "aria-labelledby": name, "aria-describedby": about },
    h("h2", { id: name }, words(title, "Are you sure?")),
    h("div", { class: "question", id: about }, words(text, "")),
    h("div", { class: "choices" }, no, yes),
  );
  return answered(dialog, { no, yes, first: style === "danger" ? no : yes });
}

function answered(dialog, { no, yes, first }) {
  return new Promise((resolve) => {
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    first.focus();
  });
}

// Buttons.

const LOOKS = new Map([
  ["primary", "primary"],
  ["danger", "danger"],
]);

function button(slot) {
  const { element, context } = slot;
  const name = { "aria-label": element.accessibility_label, "aria-labelledby": null };
  const props = { ...control(slot), ...name, type: "button", class: LOOKS.get(element.style) };
  const node = h("button", props, drawText(element.text, context));
  node.addEventListener("click", () => use(slot, node, null, element.url));
  return node;
}

// https://docs.slack.dev/reference/block-kit/blocks/context-actions-block
function feedback(block, context) {
  return block.elements.flatMap((element) => {
    const slot = { block, element, context, aria: {} };
    if (element.type === "icon_button") return button(slot);
    if (element.type !== "feedback_buttons") return cannotDraw(element.type, "element");
    return [element.positive_button, element.negative_button].map((each) => vote(slot, each));
  });
}

function vote(slot, choice) {
  const props = { ...control(slot), type: "button", "aria-label": choice.accessibility_label };
  const node = h("button", props, drawText(choice.text, slot.context));
  node.addEventListener("click", () => use(slot, node, choice.value));
  return node;
}

// What opens beside a control stands in the top layer, where no scrolling box cuts it off.

function openBeside(anchor, popup, onClose) {
  const open = new AbortController();
  const { signal } = open;
  const close = () => {
    if (signal.aborted) return;
    open.abort();
    popup.hidePopover();
    anchor.setAttribute("aria-expanded", "false");
    onClose();
  };
  const elsewhere = ({ target }) => anchor.contains(target) || popup.contains(target) || close();
  const move = () => place(popup, anchor);
  popup.showPopover();
  anchor.setAttribute("aria-expanded", "true");
  move();
  document.addEventListener("pointerdown", elsewhere, { capture: true, signal });
  window.addEventListener("scroll", move, { capture: true, signal });
  window.addEventListener("resize", move, { signal });
  return close;
}

function place(popup, anchor) {
  const at = anchor.getBoundingClientRect();
  popup.style.minWidth = `${at.width}px`;
  const { width, height } = popup.getBoundingClientRect();
  const fits = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
  popup.style.left = `${Math.max(GAP, Math.min(at.left, innerWidth - width - GAP))}px`;
  popup.style.top = `${fits ? at.bottom + GAP : at.top - height - GAP}px`;
}

/** Which of `count` a key moves to, counted from 0; undefined for any other key. */
function moved(key, at, count) {
  const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[key];
  return to === undefined ? undefined : (to + count) % count;
}

// https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/
function overflow(slot) {
  const { element, context } = slot;
  const id = newId();
  const props = { ...control(slot), "aria-label": "More actions", "aria-labelledby": null };
  const popup = { "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": id };
  const looks = { type: "button", class: "dots" };
  const trigger = h("button", { ...props, ...popup, ...looks }, h("span", { text: "⋯" }));
  let close = () => {};
  const choose = (event, option) => {
    event.preventDefault();
    close();
    trigger.focus();
    use(slot, trigger, option.value, option.url);
  };
  const items = element.options.map((option) => menuItem(option, context, choose));
  const menu = h("div", { class: "popup menu", id, role: "menu", popover: "manual" }, items);
  menu.setAttribute("aria-label", "More actions");
  const open = (at) => {
    close = openBeside(trigger, menu, () => {});
    items.at(at).focus();
  };
  trigger.addEventListener("click", () => (menu.matches(":popover-open") ? close() : open(0)));
  trigger.addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    open(event.key === "ArrowDown" ? 0 : -1);
  });
  menu.addEventListener("keydown", (event) => menuKey(event, items, trigger, () => close()));
  return h("span", { class: "overflow" }, trigger, menu);
}

function menuItem(option, context, choose) {
  const props = { role: "menuitem", tabIndex: -1 };
  const words = [drawText(option.text, context), described(option, context)];
  const followed = safe(option.url ?? "");
  const node = followed ? link(followed, words) : h("button", { type: "button" }, words);
  Object.assign(node, props);
  node.addEventListener("click", (event) => choose(event, option));
  return node;
}

function described({ description }, context) {
  return description ? h("small", { class: "quiet" }, drawText(description, context)) : null;
}

function menuKey(event, items, trigger, close) {
  if (event.key === "Tab") return close();
  const to = moved(event.key, items.indexOf(document.activeElement), items.length);
  if (to === undefined && event.key !== "Escape") return undefined;
  event.preventDefault();
  event.stopPropagation();
  if (to !== undefined) return items[to].focus();
  close();
  return trigger.focus();
}

// Selects. https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

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

function removing(name, act) {
  const props = { type: "button", class: "bare remove", "aria-label": `Remove ${name}` };
  return h("button", { ...props, on: { click: act } }, "×");
}

function picker(several, groupsOf) {
  return (slot) => new Picker(slot, () => groupsOf(slot), several).node;
}

function staticGroups({ element: { options, option_groups: groups }, context }) {
  const drawn = (option) => ({
    value: option.value,
    name: option.text.text,
    draw: () => [drawText(option.text, context), described(option, context)],
  });
  if (!groups) return [{ options: options.map(drawn) }];
  return groups.map((group) => ({ label: group.label.text, options: group.options.map(drawn) }));
}

function peopleGroup({ context }) {
  return [{ options: context.people().map(named("@")) }];
}

function channelGroup({ context }) {
  return [{ options: context.channels().map(named("#")) }];
}

function named(sign) {
  return ({ id, name }) => ({ value: id, name: sign + name, draw: () => [sign + name] });
}

function externalSelect(slot) {
  const note = newId();
  const props = { ...control(slot), ...{ disabled: true, type: "text", "aria-describedby": note } };
  const node = h("input", { ...props, placeholder: slot.element.placeholder?.text });
  const said = "This stand-in asks no app for options.";
  return h("div", { class: "picker" }, node, h("small", { class: "quiet", id: note, text: said }));
}

// Dates and times.

function dated(type, { shown = (entered) => entered ?? "", entered = (text) => text, ...limits }) {
  return (slot) => {
    const node = h("input", { ...control(slot), ...limits, type, value: shown(held(slot)) });
    const wrap = h("span", { class: "dated" }, node);
    let last = node.value;
    onceSettled(node, async () => {
      if (node.value === last || !node.value || !node.validity.valid) return;
      const before = last;
      last = node.value;
      if (!(await use(slot, wrap, entered(node.value)))) node.value = last = before;
    });
    return wrap;
  };
}

/** A picker's choice counts at once, what is typed on Enter or on leaving: not digit by digit. */
function onceSettled(node, act) {
  let typing = false;
  node.addEventListener("keydown", ({ key }) => {
    typing = key !== "Enter";
    if (!typing) act();
  });
  node.addEventListener("change", () => typing || act());
  node.addEventListener("blur", () => {
    typing = false;
    act();
  });
}

function localMinute(seconds) {
  if (!seconds) return "";
  const when = new Date(Number(seconds) * 1000);
  return `${isoDay(when)}T${[when.getHours(), when.getMinutes()].map(twoDigits).join(":")}`;
}

function unixSeconds(local) {
  return String(Math.floor(new Date(local).getTime() / 1000));
}

// Radio buttons and checkboxes.

function choices(type) {
  return (slot) => {
    const { element, context } = slot;
    const name = newId();
    const boxes = element.options.map((option) => {
      const box = h("input", { type, name, value: option.value });
      const words = h("span", {}, drawText(option.text, context), described(option, context));
      return { box, line: h("label", {}, box, words) };
    });
    const role = type === "radio" ? "radiogroup" : "group";
    const lines = boxes.map(({ line }) => line);
    const node = h("div", { ...control(slot), class: "boxes", role }, lines);
    keepTicked(slot, node, boxes.map(({ box }) => box));
    return node;
  };
}

function keepTicked(slot, node, boxes) {
  let ticked = [held(slot) ?? []].flat();
  const show = () => boxes.forEach((box) => (box.checked = ticked.includes(box.value)));
  show();
  node.addEventListener("change", async () => {
    const next = boxes.filter((box) => box.checked).map((box) => box.value);
    const entered = boxes[0].type === "radio" ? next[0] : next;
    if (await use(slot, node, entered)) ticked = next;
    else show();
  });
}

// Inputs.

function input(block, context) {
  const [id, label, hint, wrong] = [newId(), newId(), newId(), newId()];
  const error = context.errors?.[block.block_id];
  const aria = {
    id,
    "aria-labelledby": label,
    "aria-describedby": [block.hint && hint, error && wrong].filter(Boolean).join(" ") || null,
    "aria-invalid": error ? "true" : null,
    "aria-required": block.optional ? null : "true",
  };
  return h(
    "div",
    { class: "input" },
    h("label", { id: label, htmlFor: id }, drawText(block.label, context), optional(block)),
    drawElement({ block, element: block.element, context, aria }),
    block.hint ? h("p", { class: "hint quiet", id: hint }, drawText(block.hint, context)) : null,
    error ? h("p", { class: "wrong", id: wrong, role: "alert", text: error }) : null,
  );
}

function optional(block) {
  return block.optional ? h("span", { class: "quiet", text: " (optional)" }) : null;
}

function typed(props) {
  return (slot) => {
    const { element } = slot;
    const words = { placeholder: element.placeholder?.text, value: held(slot) ?? "" };
    const [tag, more] = element.multiline ? ["textarea", {}] : ["input", props];
    const node = filling(slot, h(tag, { ...control(slot), ...more, ...words }));
    return element.max_length || element.min_length ? counted(node, element) : node;
  };
}

function filling({ block, element, context }, node) {
  node.addEventListener("input", () => context.fill(block, element, node.value));
  return node;
}

/** Slack lets people type past the limit, and refuses it when they submit. */
function counted(node, { min_length: least = 0, max_length: most = Infinity }) {
  const count = h("small", { class: "count quiet", "aria-live": "polite" });
  const show = () => {
    const { length } = node.value;
    const left = most - length;
    count.classList.toggle("over", left < 0);
    if (left < 0) count.textContent = `${-left} too many`;
    else if (length && length < least) count.textContent = `${least - length} more needed`;
    else count.textContent = left <= NEAR_LIMIT ? `${left} left` : "";
  };
  node.addEventListener("input", show);
  show();
  return h("div", { class: "counted" }, node, count);
}

function richInput(slot) {
  const begun = held(slot) ?? "";
  const words = typeof begun === "string" ? begun : plainOf(begun, slot.context);
  const placeholder = slot.element.placeholder?.text;
  return filling(slot, h("textarea", { ...control(slot), placeholder, value: words }));
}

function plainOf({ elements }, context) {
  return drawRichText(elements, context)
    .map((node) => node.textContent)
    .join("\n");
}

const fileNames = new Map(); // by id, of the files given here: an input holds only ids

function fileInput(slot) {
  const { filetypes = [], max_files: most = 10 } = slot.element;
  const accept = filetypes.map((kind) => kind.replace(/^\.?/, ".")).join(",");
  const node = h("input", { ...control(slot), type: "file", multiple: most > 1, accept });
  const list = h("ul", { class: "files", "aria-label": "Chosen files" });
  const trouble = h("p", { class: "wrong", role: "alert" });
  const wrap = h("div", { class: "file" }, node, list, trouble);
  let ids = held(slot) ?? [];
  const show = () => {
    list.replaceChildren(...ids.map((id) => fileLine(id, () => keep(without(ids, id)))));
    node.disabled = ids.length >= most;
  };
  const keep = (next) => {
    ids = next;
    show();
    node.focus();
    slot.context.fill(slot.block, slot.element, ids);
  };
  node.addEventListener("change", async () => {
    const files = [...node.files].slice(0, most - ids.length);
    const { stored, failed } = await busy(wrap, () => storeAll(files, slot.context));
    node.value = "";
    trouble.textContent = failed;
    keep([...ids, ...stored]);
  });
  show();
  return wrap;
}

function without(list, gone) {
  return list.filter((each) => each !== gone);
}

function fileLine(id, remove) {
  const name = fileNames.get(id) ?? id;
  return h("li", {}, `📄 ${name}`, removing(name, remove));
}

/** Store files in their order; what failed does not take the others with it. */
async function storeAll(files, context) {
  const stored = [];
  const failed = [];
  for (const file of files) {
    try {
      const { id, name } = await context.upload(file);
      fileNames.set(id, name);
      stored.push(id);
    } catch (error) {
      failed.push(`${file.name} was not stored: ${error.message}`);
    }
  }
  return { stored, failed: failed.join("; ") };
}

const plain = { type: "text", autocomplete: "off" };
const ELEMENTS = new Map(
  Object.entries({
    button,
    image: ({ element }) => picture(element, "thumbnail"),
    overflow,
    static_select: picker(false, staticGroups),
    multi_static_select: picker(true, staticGroups),
    external_select: externalSelect,
    multi_external_select: externalSelect,
    users_select: picker(false, peopleGroup),
    multi_users_select: picker(true, peopleGroup),
    channels_select: picker(false, channelGroup),
    multi_channels_select: picker(true, channelGroup),
    conversations_select: picker(false, channelGroup),
    multi_conversations_select: picker(true, channelGroup),
    datepicker: dated("date", { min: "1900-01-01", max: "9999-12-31" }),
    timepicker: dated("time", {}),
    datetimepicker: dated("datetime-local", {
      shown: localMinute,
      entered: unixSeconds,
      max: "9999-12-31T23:59",
    }),
    radio_buttons: choices("radio"),
    checkboxes: choices("checkbox"),
    plain_text_input: typed(plain),
    email_text_input: typed({ ...plain, type: "email" }),
    url_text_input: typed({ ...plain, type: "url" }),
    number_input: typed({ ...plain, inputMode: "decimal" }),
    rich_text_input: richInput,
    file_input: fileInput,
  }),
);
