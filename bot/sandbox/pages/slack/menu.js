// A menu that a button opens: a popover of choices, worked by mouse, touch or arrow keys.

import { h } from "../shared/dom.js";
import { moved, place } from "../shared/popup.js";

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
  place(menu, button);
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
  if (event.key === "Tab") event.currentTarget.hidePopover();
  const to = moved(event.key, choices.indexOf(document.activeElement), choices.length);
  if (to === undefined) return;
  event.preventDefault();
  choices[to].focus();
}
