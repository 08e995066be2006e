// Dates, times, radio buttons and checkboxes: what the browser itself has a control for.

import { h } from "../shared/dom.js";
import { control, described, held, newId, use } from "./control.js";
import { isoDay, twoDigits } from "./dates.js";
import { drawText } from "./mrkdwn.js";

const asGiven = (value) => value ?? "";

/** A browser's own picker; `shown` and `entered` turn Slack's value into its text and back. */
export function dated(type, { shown = asGiven, entered = asGiven, ...limits }) {
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

/** Seconds since 1970 as a date-time field of this machine's zone has them. */
export function localMinute(seconds) {
  if (!seconds) return "";
  const when = new Date(Number(seconds) * 1000);
  return `${isoDay(when)}T${[when.getHours(), when.getMinutes()].map(twoDigits).join(":")}`;
}

/** The way back: a date-time field's text in seconds since 1970. */
export function unixSeconds(local) {
  return String(Math.floor(new Date(local).getTime() / 1000));
}

/** Options to tick: of type "radio" one, of type "checkbox" any. */
export function choices(type) {
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
