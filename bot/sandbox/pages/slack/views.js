// Views of the app, in a modal or as its Home: drawn, filled in, and pressed.

import { drawBlocks } from "../blocks/blocks.js";
import { h } from "../shared/dom.js";
import { act, labelOf } from "./actions.js";
import { failure, mistake } from "./notices.js";
import { fill, focusAgain, focusWithin, inView, keeps, unheard } from "./input_state.js";

/** A view's blocks as a person sees them; `failed(words)` hears of a press that went wrong. */
export function drawView(view, { user, base, failed }) {
  const context = {
    ...base,
    owner: view.id,
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
  const tell = (where, { action_id }, given) =>
    act("press_in_view", {
      user, view_id: view.id, block_id: where.block_id, action_id, value: given,
    });
  if (keeps(element)) fill(view.id, block, element, value);
  // An app that hears of a press also hears what is typed in the view by then.
  for (const [input, typed] of unheard(view)) await tell(input, input.element, typed);
  const error = await tell(block, element, pressable(element, value));
  failed(error ? failure(labelOf(element), error) : "");
}

/** What a press carries: a button's own value is known to the server. */
export const pressable = (element, value) => (element.type === "button" ? null : value);

/** The Home tab, in `host`. */
export class Home {
  constructor(host, base) {
    Object.assign(this, { host, base });
    this.notice = h("p", { class: "problem", role: "alert" });
    this.drawn = h("div", {});
    host.append(this.notice, this.drawn);
  }

  /** Tell the app that a person looks at its Home. */
  async open(user) {
    this.say("");
    const error = await act("open_home", { user });
    if (error) this.say(failure("Opening Home", error));
  }

  say(words) {
    this.notice.textContent = words;
  }

  /** Show a person's Home as the app last published it. */
  show(user, view) {
    const look = `${user} ${view?.hash}`;
    if (look === this.shown) return;
    this.shown = look;
    const focus = focusWithin(this.drawn);
    this.drawn.replaceChildren(view ? this.draw(user, view) : empty());
    if (focus) focusAgain(focus, this.drawn);
  }

  draw(user, view) {
    return drawView(view, { user, base: this.base(), failed: (words) => this.say(words) });
  }
}

function empty() {
  return h("p", { class: "quiet" }, "The app has not drawn its Home yet.");
}
