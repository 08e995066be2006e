// Buttons, and the menu of further actions behind one.

import { h, link, safe } from "../shared/dom.js";
import { moved, openBeside } from "../shared/popup.js";
import { cannotDraw, control, described, newId, stillBusy, use } from "./control.js";
import { drawText } from "./mrkdwn.js";

const LOOKS = new Map([
  ["primary", "primary"],
  ["danger", "danger"],
]);

/** A button, which presses or leads to its address. */
export function button(slot) {
  const { element, context } = slot;
  const name = { "aria-label": element.accessibility_label, "aria-labelledby": null };
  const props = { ...control(slot), ...name, type: "button", class: LOOKS.get(element.style) };
  const node = h("button", props, drawText(element.text, context));
  node.addEventListener("click", () => use(slot, node, null, element.url));
  return node;
}

/** https://docs.slack.dev/reference/block-kit/blocks/context-actions-block */
export function feedback(block, context) {
  return block.elements.flatMap((element) => {
    const slot = { block, element, context, aria: {} };
    const nodes = feedbackNodes(slot);
    for (const node of nodes) stillBusy(slot, node);
    return nodes;
  });
}

function feedbackNodes(slot) {
  const { type, positive_button: yes, negative_button: no } = slot.element;
  if (type === "icon_button") return [button(slot)];
  if (type === "feedback_buttons") return [vote(slot, yes), vote(slot, no)];
  return [cannotDraw(type, "element")];
}

function vote(slot, choice) {
  const props = { ...control(slot), type: "button", "aria-label": choice.accessibility_label };
  const node = h("button", props, drawText(choice.text, slot.context));
  node.addEventListener("click", () => use(slot, node, choice.value));
  return node;
}

/** https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/ */
export function overflow(slot) {
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
