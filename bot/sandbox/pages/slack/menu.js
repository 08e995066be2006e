// A menu that a button opens: a popover of choices, worked by mouse, touch or arrow keys.

import { h } from "./dom.js";

const GAP = 4;
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/** Open a menu at `button`. `items`: {text, quiet?, pick} or {heading}. */
export function openMenu(button, label, items) {
  const rows = items.map((item) => (item.heading ? heading(item.heading) : choice(item)));
  const on = { keydown: step, toggle: (event) => event.newState === "closed" && closed() };
  const props = { class: "dropdown", role: "menu", "aria-label": label, popover: "auto", on };
  const menu = h("div", props, rows);
  function closed() {
    button.setAttribute("aria-expanded", "false");
    menu.remove();
  }
  document.body.append(menu);
  button.setAttribute("aria-expanded", "true");
  menu.showPopover();
  beside(menu, button);
  menu.querySelector("[role=menuitem]")?.focus();
}

function heading(words) {
  return h("p", { class: "quiet", role: "presentation" }, words);
}

function choice({ text, quiet, pick }) {
  function picked(event) {
    event.currentTarget.closest("[popover]").hidePopover();
    pick();
  }
  return h("button", {
    class: "bare", type: "button", role: "menuitem", tabIndex: -1, on: { click: picked },
  }, h("span", {}, text), quiet ? h("span", { class: "quiet" }, quiet) : null);
}

function step(event) {
  const choices = [...event.currentTarget.querySelectorAll("[role=menuitem]")];
  const at = choices.indexOf(document.activeElement);
  if (event.key === "Tab") event.currentTarget.hidePopover();
  if (!(event.key in STEPS)) return;
  event.preventDefault();
  choices.at((at + STEPS[event.key]) % choices.length).focus();
}

function beside(menu, button) {
  const near = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = near.bottom + GAP + height < innerHeight;
  const top = below ? near.bottom + GAP : near.top - GAP - height;
  menu.style.left = `${Math.max(GAP, Math.min(near.left, innerWidth - width - GAP))}px`;
  menu.style.top = `${Math.max(GAP, top)}px`;
}
