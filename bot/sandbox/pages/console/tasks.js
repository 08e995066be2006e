// How a task is listed, and everything there is to see of one.

import { h, own } from "../shared/dom.js";
import { actAs, decide, personField, removal } from "./actions.js";
import { sender } from "./forms.js";
import {
  code, facts, history, lastingPart, listPart, mark, part, shownTime, state,
} from "./parts.js";
import { AT_DUE, BUSINESS, bytes, due, moment, pretty, span } from "./words.js";

export const TASK_STATES = ["waiting", "finished", "canceled"];

/** A task's place and words in the list: what is due first, then the newest, then the decided. */
export function taskRow(task, now) {
  const noted = due(task, now);
  return {
    ...place(task, noted),
    mark: noted,
    about: [own(BUSINESS, task.business_type), task.related_object, age(task.create_time, now)]
      .filter(Boolean).join(" · "),
  };
}

function place(task, noted) {
  if (task.status !== "waiting") return { rank: 0, at: moment(task.update_time) };
  if (!noted?.urgency) return { rank: 1, at: moment(task.create_time) };
  return { rank: 1 + noted.urgency, at: -moment(task.due_date) };
}

function age(stamp, now) {
  return `${span(now - moment(stamp))}\u00a0ago`;
}

/** What the text filter looks through. */
export function taskSaid(task) {
  return [task.name, task.description, task.related_object, task.creator_name];
}

/** The parts of a task's detail, in the order of reading. */
export function taskParts(task, view) {
  return [
    head(task, view),
    about(task, view),
    text("Description", task.description),
    parameters("Parameters", task.view_parameters),
    parameters("Parameters to decide with", task.handle_parameters),
    comments(task, view),
    lastingPart("Comment", () => commentForm(task)),
    attachments(task, view),
  ].filter(Boolean);
}

export function taskHistory(task, view) {
  return history(view.state.history[task.id], view.now);
}

function head(task, view) {
  const noted = due(task, view.now);
  return part("State", [task.status, noted, task.approver], () => [
    h("p", { class: "marks" },
      state(task.status),
      noted ? mark(noted.text, noted.tone) : "",
      task.approver ? h("span", {}, `Decided by ${task.approver}`) : ""),
    h("p", { class: "acts" },
      task.status === "waiting" ? decisions(task) : [], removal("task", task)),
  ]);
}

function decisions(task) {
  const button = (text, tone, action) =>
    h("button", { class: tone, on: { click: () => decide(task, action) } }, text);
  return [
    button("Continue…", "primary", "CONTINUE"),
    button("Terminate…", "danger", "TERMINATE"),
  ];
}

function about(task, view) {
  const run = view.known.instance.find(({ id }) => id === task.action_instance_id);
  const { comments: _talk, ...rest } = task;
  return part("About", [rest, run?.name], () =>
    facts([
      ["Business type", own(BUSINESS, task.business_type) ?? task.business_type],
      ["Related object", task.related_object],
      ["Instance", run ? instanceLink(run) : task.action_instance_id],
      ["Created", h("span", {}, shownTime(task.create_time, view.now),
        ` by ${task.creator_name || "nobody known"}`)],
      ["Updated", shownTime(task.update_time, view.now)],
      ["Due", shownTime(task.due_date, view.now)],
      ["When it is due", own(AT_DUE, task.due_handle ?? "") ?? task.due_handle],
      ["Notes", task.notes],
      ["Id", h("code", {}, task.id)],
    ]));
}

function instanceLink({ id, name }) {
  return h("a", { href: `#instance/${encodeURIComponent(id)}` }, name);
}

function text(title, said) {
  return said ? part(title, said, () => h("p", { class: "prose" }, said)) : null;
}

function parameters(title, said) {
  if (!said) return null;
  const broken = pretty(said) === said;
  return part(title, said, () => [
    broken ? h("p", { class: "quiet" }, "This is no JSON; it is shown as it came.") : [],
    code(said),
  ]);
}

function comments(task, view) {
  const draw = (comment) =>
    h("li", { class: "event" },
      shownTime(new Date(comment.time).toISOString(), view.now),
      h("p", {}, h("strong", {}, comment.user_name)),
      h("p", { class: "prose" }, comment.message));
  return listPart("Comments", task.comments ?? [], ({ id }) => id, draw, "No comment yet.");
}

function commentForm(task) {
  return sender({
    fields: [
      { name: "comment", label: "Add a comment", kind: "textarea", rows: 2, required: true },
      personField(),
    ],
    verb: "Comment",
    send: (values) => actAs(`/_sandbox/tasks/${task.id}/comment`, values),
    done: (form) => {
      form.elements.comment.value = "";
    },
  });
}

function attachments(task, view) {
  const listed = (task.attachment_id_list ?? []).map((id) => ({
    id,
    ...view.state.attachments.find((attachment) => attachment.id === id),
  }));
  const draw = ({ id, file_name: name, size }) =>
    h("li", { class: "event" },
      h("p", {}, h("strong", {}, name ?? "Unknown file"), " ",
        size === undefined ? "" : h("span", { class: "quiet" }, bytes(size))),
      h("code", { class: "quiet" }, id));
  return listPart("Attachments", listed, ({ id }) => id, draw, "No file.");
}
