// What a person can do in the console, each with the question it asks first.

import { answered, h, post, reached } from "../shared/dom.js";
import { ask } from "./forms.js";
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

/** Ask whether to delete an object; `noun` is "task" or "instance". */
export function remove(noun, { id, name }) {
  return ask({
    title: `Delete this ${noun}?`,
    about: name,
    fields: [],
    verb: "Delete",
    tone: "danger solid",
    send: async () => {
      const path = `/_sandbox/${noun}s/${encodeURIComponent(id)}`;
      await answered(await reached(path, { method: "DELETE" }));
    },
  });
}

/** The button that asks it. */
export function removal(noun, object) {
  const click = () => remove(noun, object);
  return h("button", { class: "danger", on: { click } }, "Delete…");
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

/** Ask how many tasks and failed instances are to arrive at once. */
export function letArrive() {
  const many = { kind: "number", min: 0, max: 20_000, step: 1, required: true };
  return ask({
    title: "Let many arrive",
    about: "All of them come in at once.",
    fields: [
      { name: "tasks", label: "Tasks", value: 100, ...many },
      { name: "failures", label: "Failed instances", value: 10, ...many },
    ],
    verb: "Let them arrive",
    send: ({ tasks, failures }) =>
      post("/_sandbox/arrivals", { tasks: Number(tasks), failures: Number(failures) }),
  });
}
