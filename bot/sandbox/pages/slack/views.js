// Views of the app, in a modal or as its Home: drawn, filled in, and pressed.

import { act, nameOf } from "./acts.js";
import { drawBlocks } from "./blocks.js";
import { h } from "./dom.js";
import { fill, inView, keeps, unheard } from "./entered.js";
import { failure, mistake } from "./notices.js";

/** A view's blocks as a person sees them; `failed(words)` hears of a press that went wrong. */
export function drawView(view, { user, base, failed }) {
  const context = {
    ...base,
    entered: (block, element) => inView(view, block, element),
    errors: mistakes(view),
    fill: (block, element, value) => fill(view.id, block, element, value),
    press: (block, element, value) => press({ view, user, failed }, block, element, value),
  };
  return h("div", { class: "blocks" }, drawBlocks(view.blocks, context));
}

function mistakes({ errors = {} }) {
  return Object.fromEntries(Object.entries(errors).map(([id, error]) => [id, mistake(error)]));
}

async function press({ view, user, failed }, block, element, value) {
  const pressed = { user, view_id: view.id, action_id: element.action_id };
  if (keeps(element)) fill(view.id, block, element, value);
  await tellTyped(user, view);
  const error = await act("press_in_view", { ...pressed, value: pressable(element, value) });
  failed(error ? failure(nameOf(element), error) : "");
}

/** An app that hears of a press also hears what is typed in the view by then. */
async function tellTyped(user, view) {
  for (const [action, value] of unheard(view)) {
    await act("press_in_view", { user, view_id: view.id, action_id: action, value });
  }
}

/** What a press carries: a button's own value is known to the server. */
export const pressable = (element, value) => (element.type === "button" ? null : value);
