// Forms: labelled controls, what the server refused, and a question in a dialog.

import { h } from "../shared/dom.js";

let numbers = 0;

/**
 * A labelled control. `field`: name, label, and optionally `kind` (textarea, select, number,
 * text), `options` ([value, label] of a select), `hint`, and properties of the control.
 */
function control({ name, label, kind = "text", options = [], hint, ...properties }) {
  const id = `control-${++numbers}`;
  const tag = ["textarea", "select"].includes(kind) ? kind : "input";
  const type = tag === "input" ? { type: kind } : {};
  const choices = options.map(([value, text]) => h("option", { value }, text));
  const described = hint ? { "aria-describedby": `${id}-hint` } : {};
  const input = h(tag, { id, name, ...type, ...described }, choices);
  Object.assign(input, properties);
  return h("p", { class: "field" },
    h("label", { htmlFor: id }, label),
    input,
    hint ? h("small", { id: `${id}-hint`, class: "quiet" }, hint) : null);
}

/**
 * A form that sends what was entered and says beside it what the server refused. `send` gets the
 * values by name, `done` is called once it went through.
 */
export function sender({ fields, verb, tone = "primary", send, done, extra = [] }) {
  const refused = h("p", { class: "refused", role: "alert" });
  const button = h("button", { class: tone, text: verb });
  async function submit(event) {
    event.preventDefault();
    refused.textContent = "";
    button.disabled = true;
    try {
      await send(Object.fromEntries(new FormData(form)));
      done(form);
    } catch (error) {
      refused.textContent = error.message;
    }
    button.disabled = false;
  }
  const form = h("form", { class: "sender", on: { submit } },
    fields.map(control), refused, h("p", { class: "acts" }, extra, button));
  return form;
}

/** Ask in a dialog; resolves to whether it was sent. */
export function ask({ title, about, ...question }) {
  return new Promise((resolve) => {
    const cancel = h("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel");
    const done = () => dialog.close("sent");
    const form = sender({ ...question, done, extra: [cancel] });
    const dialog = h("dialog", { class: "ask", "aria-label": title },
      h("h2", {}, title), about ? h("p", { class: "about" }, about) : null, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "sent");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
