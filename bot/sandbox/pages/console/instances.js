// How a workflow instance is listed, and everything there is to see of one.

import { h } from "../shared/dom.js";
import { fail, removal } from "./actions.js";
import { code, facts, history, listPart, part, shownTime, state } from "./parts.js";
import { moment, span } from "./words.js";

export const INSTANCE_STATES = [
  "FAILED", "RUNNING", "RETRYING", "TERMINATING", "FINISHED", "TERMINATED",
];
const TRIGGERS = { EVENT: "Event", TIMER: "Timer", MANUAL: "By hand", DEBUG: "Debug" };
const BREAKABLE = ["RUNNING", "RETRYING"];
const ENDED = ["FINISHED", "TERMINATED"];

/** An instance's place and words in the list: failures first, what has ended last. */
export function instanceRow(instance, now) {
  const started = moment(instance.start_time);
  return {
    rank: rank(instance.status),
    at: started,
    mark: instance.retry_count ? { text: retries(instance), tone: "quiet" } : null,
    about: [
      instance.workflow.name,
      TRIGGERS[instance.trigger_type],
      `${span(now - started)}\u00a0ago`,
    ].filter(Boolean).join(" · "),
  };
}

function rank(status) {
  if (status === "FAILED") return 2;
  return ENDED.includes(status) ? 0 : 1;
}

function retries({ retry_count: count }) {
  return count === 1 ? "1 retry" : `${count} retries`;
}

/** What the text filter looks through. */
export function instanceSaid(instance) {
  return [instance.name, instance.workflow.name, instance.playbook.name];
}

/** The parts of an instance's detail, in the order of reading. */
export function instanceParts(instance, view) {
  return [head(instance), about(instance, view), topology(instance, view)];
}

export function instanceHistory(instance, view) {
  return history(view.state.history[instance.id], view.now);
}

function head(instance) {
  return part("State", [instance.status, instance.retry_count], () => [
    h("p", { class: "marks" },
      state(instance.status), instance.retry_count ? h("span", {}, retries(instance)) : ""),
    h("p", { class: "acts" },
      BREAKABLE.includes(instance.status) ? failure(instance) : [],
      removal("instance", instance)),
  ]);
}

function failure(instance) {
  const click = () => fail(instance);
  return h("button", { class: "danger", on: { click } }, "Make it fail…");
}

function about(instance, view) {
  const { topology: _nodes, ...rest } = instance;
  const tasks = view.known.task.filter((task) => task.action_instance_id === instance.id);
  return part("About", [rest, tasks.map(({ id, name }) => [id, name])], () =>
    facts([
      ["Workflow", [instance.workflow.name, instance.workflow.version].join(" ").trim()],
      ["Playbook", instance.playbook.name],
      ["Trigger", TRIGGERS[instance.trigger_type] ?? instance.trigger_type],
      ["Started", shownTime(instance.start_time, view.now)],
      ["Ended", instance.end_time && shownTime(instance.end_time, view.now)],
      ["Retries", instance.retry_count],
      ["Tasks", tasks.length ? taskLinks(tasks) : null],
      ["Data object", instance.dataobject_id],
      ["Id", h("code", {}, instance.id)],
    ]));
}

function taskLinks(tasks) {
  const links = tasks.map(({ id, name }) =>
    h("li", {}, h("a", { href: `#task/${encodeURIComponent(id)}` }, name)));
  return h("ul", { class: "plain" }, links);
}

function topology(instance, view) {
  const draw = (node, old) => nodeRow(node, old, view.now);
  const nodes = instance.topology.audit_logs;
  return listPart("Nodes", nodes, (node) => node.action_id, draw, "No node has started.");
}

/** A node with its error in view; what somebody opened stays open when it changes. */
function nodeRow(node, old, now) {
  const open = node.status === "FAILED" || Boolean(old?.querySelector("details").open);
  return h("li", { class: "node" },
    h("details", { open },
      h("summary", {}, h("strong", {}, node.action_name), state(node.status)),
      h("div", { class: "inside" },
        node.error_msg ? h("pre", { class: "said error" }, node.error_msg) : [],
        facts([
          ["Started", shownTime(node.start_time, now)],
          ["Ended", node.end_time && shownTime(node.end_time, now)],
          ["Node id", h("code", {}, node.action_id)],
        ]),
        passed("Input", node.input),
        passed("Output", node.output))));
}

function passed(title, said) {
  return said ? [h("h4", {}, title), code(said)] : [];
}
