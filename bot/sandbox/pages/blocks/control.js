// What the controls of all blocks share: their names, what they hold, and how a use is told.

import { h, safe } from "../shared/dom.js";
import { drawText } from "./mrkdwn.js";

// An interactive element knows its slot: the block it stands in, itself, the page's context, and
// the aria attributes that name it there.

let made = 0;
const underWay = new Map(); // presses that are not answered yet, by what was pressed

/** An id that no other element of the page has. */
export function newId() {
  made += 1;
  return `blocks-${made}`;
}

/** A sentence in place of what this stand-in does not know. */
export function cannotDraw(type, what) {
  return h("p", { class: "undrawn" }, `This stand-in can't draw a “${type}” ${what} yet`);
}

/** What every control carries: its name for people and for tests, and what is wrong with it. */
export function control({ element, aria }) {
  return {
    ...aria,
    autofocus: element.focus_on_load === true,
    data: { actionId: element.action_id ?? "" },
  };
}

const bare = (option) => option?.value ?? option;
const bareAll = (given) => (Array.isArray(given) ? given.map(bare) : bare(given));

/** What the element holds: what was entered, else what it began with. */
export function held({ block, element, context }) {
  const entered = context.entered(block, element);
  if (entered !== undefined) return bareAll(entered);
  const first = Object.keys(element).find((key) => key.startsWith("initial_"));
  return bareAll(element[first]);
}

const identity = ({ block, element, context }) =>
  JSON.stringify([context.owner, block.block_id, element.action_id]);

/** Show an element that was drawn again while it is pressed as the busy one it is. */
export async function stillBusy(slot, node) {
  const press = underWay.get(identity(slot));
  if (!press) return;
  node.setAttribute("aria-busy", "true");
  await press;
  node.setAttribute("aria-busy", "false");
}

/** Tell the page of a use, after its confirmation; false when that was refused. */
export async function use(slot, node, entered, url = "") {
  const { block, element, context } = slot;
  if (underWay.has(identity(slot))) return false;
  if (element.confirm && !(await ask(element.confirm, context))) return false;
  if (safe(url)) window.open(safe(url), "_blank", "noopener,noreferrer");
  if (block.type === "input" && !block.dispatch_action) context.fill(block, element, entered);
  else await busy(node, () => press(slot, entered));
  return true;
}

async function press(slot, entered) {
  const { block, element, context } = slot;
  const { promise, resolve } = Promise.withResolvers();
  underWay.set(identity(slot), promise);
  try {
    await context.press(block, element, entered);
  } finally {
    underWay.delete(identity(slot));
    resolve();
  }
}

/** Keep a control from being used while `work` goes on. */
export async function busy(node, work) {
  const focused = document.activeElement;
  const inside = node.querySelectorAll("button, input, textarea");
  const controls = [node, ...inside].filter((control) => control.disabled === false);
  const hold = (on) => {
    node.setAttribute("aria-busy", String(on));
    for (const control of controls) control.disabled = on;
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
function ask({ title, text, confirm, deny, style }, context) {
  const [name, about] = [newId(), newId()];
  const words = (object, otherwise) => (object ? drawText(object, context) : otherwise);
  const look = style === "danger" ? "danger solid" : "primary";
  const no = h("button", { type: "button" }, words(deny, "Cancel"));
  const yes = h("button", { type: "button", class: look }, words(confirm, "Yes"));
  const dialog = h(
    "dialog",
    {
      class: "blocks-ask", role: "alertdialog", "aria-labelledby": name, "aria-describedby": about,
    },
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

/** An option's description, if it has one. */
export function described({ description }, context) {
  return description ? h("small", { class: "quiet" }, drawText(description, context)) : null;
}

/** A button that takes away what is called `name`. */
export function removing(name, act) {
  const props = { type: "button", class: "bare remove", "aria-label": `Remove ${name}` };
  return h("button", { ...props, on: { click: act } }, "×");
}
