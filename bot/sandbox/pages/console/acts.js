// What a person can do in the console, each with the question it asks first.

import { h, post } from "../shared/dom.js";
import { AT_DUE, BUSINESS } from "./words.js";

let person = "Console user";

/** The field for the name to act as; it starts with the name used last. */
export function personField() {
  return { name: "user_name", label: "As", value: person, required: true };
}

/** Send an act to `path` in the name that was entered. */
export async function actAs(path, fields) {
  await post(path, fields);
  person = fields.user_name;
}

export function decide(task, action) {
  const continues = action === "CONTINUE";
  return ask({
    title: continues ? "Continue this task?" : "Terminate this task?",
    about: task.name,
    fields: [personField()],
    verb: continues ? "Continue" : "Terminate",
    tone: continues ? "primary" : "danger solid",
    send: (values) => actAs(`/_sandbox/tasks/${task.id}/decide`, { action, ...values }),
  });
}

export function fail(instance) {
  return ask({
    title: "Make this instance fail?",
    about: instance.name,
    fields: [
      {
        name: "error_msg",
        label: "Error",
        kind: "textarea",
        required: true,
        value: "Connection to the firewall timed out after 30 s",
      },
    ],
    verb: "Make it fail",
    tone: "danger solid",
    send: (values) => post(`/_sandbox/instances/${instance.id}/fail`, values),
  });
}

/** Ask for a task to add; `runs` are the instances that it may be about. */
export function addTask(runs) {
  const none = ["", "None, or a new one for a workflow node"];
  return ask({
    title: "Add a task",
    fields: [
      { name: "name", label: "Name", required: true, value: "Check a suspicious sign-in" },
      { name: "description", label: "Description", kind: "textarea" },
      {
        name: "business_type",
        label: "Business type",
        kind: "select",
        options: Object.entries(BUSINESS),
      },
      {
        name: "hours",
        label: "Due in hours",
        kind: "number",
        step: "any",
        value: 24,
        required: true,
        hint: "A negative number makes a task that is overdue.",
      },
      {
        name: "due_handle",
        label: "When it is due",
        kind: "select",
        options: Object.entries(AT_DUE),
      },
      {
        name: "action_instance_id",
        label: "Related instance",
        kind: "select",
        options: [none, ...runs.map(({ id, name }) => [id, name])],
      },
    ],
    verb: "Add task",
    send: ({ hours, ...values }) =>
      post("/_sandbox/tasks", { ...values, due_in: Number(hours) * 3600 }),
  });
}

export function addInstance() {
  return ask({
    title: "Add an instance",
    fields: [
      { name: "name", label: "Name", required: true, value: "Respond to an alert" },
      {
        name: "status",
        label: "State",
        kind: "select",
        options: [["RUNNING", "Running"], ["FAILED", "Failed"], ["FINISHED", "Finished"]],
      },
      {
        name: "error_msg",
        label: "Error, if it failed",
        kind: "textarea",
        hint: "Left empty, it says that a rate limit was reached.",
      },
      {
        name: "relapse",
        label: "Error whenever it is retried",
        kind: "textarea",
        hint: "Left empty, a retry succeeds.",
      },
    ],
    verb: "Add instance",
    send: (values) => post("/_sandbox/instances", values),
  });
}

/** Ask how often things are to arrive; `rates` are the present ones, in seconds. */
export function setArrivals(rates) {
  const every = { kind: "number", min: 0, step: "any", required: true };
  return ask({
    title: "Arrivals",
    about: "New tasks and failed instances can come in by themselves. 0 is never.",
    fields: [
      { name: "tasks_every", label: "A task every … seconds", value: rates.tasks_every, ...every },
      {
        name: "failures_every",
        label: "A failed instance every … seconds",
        value: rates.failures_every,
        ...every,
      },
    ],
    verb: "Set",
    send: ({ tasks_every: tasks, failures_every: failures }) =>
      post("/_sandbox/clock", { tasks_every: Number(tasks), failures_every: Number(failures) }),
  });
}

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
