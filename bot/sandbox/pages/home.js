// The app's Home: what the app draws for one person outside of any conversation.

import { act } from "./acts.js";
import { h } from "./dom.js";
import { focusAgain, focusWithin } from "./focus.js";
import { failure } from "./notices.js";
import { drawView } from "./views.js";

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
