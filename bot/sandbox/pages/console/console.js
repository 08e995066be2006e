// The console: tasks, instances, requests and faults of the sandbox, as they are right now.

import { decoded, get, h, live } from "../shared/dom.js";
import { addInstance, addTask, letArrive, setArrivals } from "./actions.js";
import { Faults } from "./faults.js";
import {
  INSTANCE_STATES, instanceHistory, instanceParts, instanceRow, instanceSaid,
} from "./instances.js";
import { Detail, List } from "./panes.js";
import { Requests } from "./requests.js";
import {
  TASK_STATES, taskHistory, taskParts, taskRow, taskSaid,
} from "./tasks.js";
import { moment } from "./words.js";

const AGAIN = 15_000; // milliseconds until what is said of times is said anew
const connection = document.querySelector("#connection");
const main = document.querySelector("main");
let see = () => {};
let state = null;
let everything = { task: [], instance: [] }; // that the server told of: listed, open, or near it
let ahead = 0; // milliseconds of the sandbox's clock before this machine's

const button = (text, click) => h("button", { on: { click } }, text);
const arrivals = ["tasks", "instances"].map(() =>
  button("Arrivals…", () => setArrivals(state.clock)));
const bursts = ["tasks", "instances"].map(() => button("Many at once…", letArrive));
const shared = { changed: () => see(), name: findObject };

const panes = {
  task: pane(
    {
      noun: "task",
      title: "Tasks",
      states: TASK_STATES,
      row: taskRow,
      said: taskSaid,
      tools: [button("Add a task…", () => addTask(state.instances)), arrivals[0], bursts[0]],
    },
    { parts: taskParts, past: taskHistory },
  ),
  instance: pane(
    {
      noun: "instance",
      title: "Instances",
      states: INSTANCE_STATES,
      row: instanceRow,
      said: instanceSaid,
      tools: [button("Add an instance…", addInstance), arrivals[1], bursts[1]],
    },
    { parts: instanceParts, past: instanceHistory },
  ),
};
const requests = new Requests({ target: "", title: "All requests", ...shared });
const faults = new Faults();
const tabs = [
  { hash: "tasks", noun: "task", title: "Tasks", node: panes.task.node },
  { hash: "instances", noun: "instance", title: "Instances", node: panes.instance.node },
  {
    hash: "requests",
    title: "Requests",
    node: h("section", { class: "single", "aria-label": "Requests" }, requests.content),
  },
  { hash: "faults", title: "Faults", node: faults.node },
];
for (const tab of tabs) {
  tab.count = h("span", {});
  tab.unit = h("span", { class: "unit" });
  tab.counted = h("span", { class: "count" }, tab.count, tab.unit);
  tab.link = h("a", { href: `#${tab.hash}` }, tab.title, " ", tab.counted);
}

function pane(list, detail) {
  const made = {
    list: new List({ ...list, changed: () => see() }),
    detail: new Detail({ noun: list.noun, title: list.title, ...detail, ...shared }),
  };
  made.node = h("div", { class: "panes" }, made.list.node, made.detail.node);
  made.node.addEventListener("keydown", (event) => leave(event, made));
  return made;
}

/** Escape leads from the detail back to its row. */
function leave(event, { list, detail }) {
  if (event.key !== "Escape" || !detail.node.contains(event.target)) return;
  if (detail.back.offsetParent) location.hash = detail.back.hash;
  else list.focus(detail.id);
}

/** What the address asks for: a tab, and in it an object's id or "". */
function route() {
  const [hash, id = ""] = location.hash.slice(1).split("/");
  const tab = tabs.find((one) => one.noun === hash || one.hash === hash) ?? tabs[0];
  return { tab, id: tab.noun === hash ? decoded(id) : "" };
}

function findObject(id) {
  for (const noun of ["task", "instance"]) {
    const object = everything[noun].find((item) => item.id === id);
    if (object) return { noun, name: object.name };
  }
  return null;
}

function draw() {
  if (!state) return;
  const { tab, id } = route();
  drawTabs(tab);
  const view = { state, known: everything, now: Date.now() + ahead };
  if (tab.noun) drawPane(tab.noun, id, view);
  else faults.draw(view);
}

function drawPane(noun, id, view) {
  const { list, detail, node } = panes[noun];
  const totals = { found: state.found[noun], counts: state.counts[noun] };
  node.classList.toggle("open", Boolean(id));
  list.draw(state[`${noun}s`], totals, id, view.now);
  detail.draw(everything[noun].find((one) => one.id === id) ?? null, id, view);
}

function drawTabs(open) {
  const counts = [
    [state.counts.task.waiting ?? 0, "waiting"],
    [state.counts.instance.FAILED ?? 0, "failed"],
    [state.received, ""],
    [state.faults.length, "on"],
  ];
  tabs.forEach((tab, at) => {
    const [count, unit] = counts[at];
    tab.count.textContent = String(count);
    tab.unit.textContent = ` ${unit}`;
    tab.counted.hidden = !count;
    tab.node.hidden = tab !== open;
    if (tab === open) tab.link.setAttribute("aria-current", "page");
    else tab.link.removeAttribute("aria-current");
  });
  const coming = Object.values(state.clock).some(Boolean) ? "Arrivals: on…" : "Arrivals…";
  for (const node of arrivals) if (node.textContent !== coming) node.textContent = coming;
}

async function look() {
  state = await get(`/_sandbox/state?${stateQuery()}`);
  everything = { task: withNear("tasks"), instance: withNear("instances") };
  ahead = moment(state.now) - Date.now();
  draw();
  const { tab } = route();
  const list = tab.noun ? panes[tab.noun].detail.requests : tab.hash === "requests" && requests;
  if (list) await list.look();
}

function stateQuery() {
  const { tab, id } = route();
  return new URLSearchParams({ open: id, ...(tab.noun ? panes[tab.noun].list.filter : {}) });
}

function withNear(kind) {
  const listed = new Set(state[kind].map(({ id }) => id));
  return [...state[kind], ...state.near[kind].filter(({ id }) => !listed.has(id))];
}

/** Follow the address, and move the focus to the object that it opened or closed. */
function follow({ oldURL }) {
  draw();
  see();
  const { tab, id } = route();
  if (!tab.noun || !state) return;
  const closed = decoded(new URL(oldURL).hash.split("/")[1] ?? "");
  if (id) panes[tab.noun].detail.focus();
  else if (closed) panes[tab.noun].list.focus(closed);
}

function tell(connected) {
  const text = connected ? "" : "The sandbox does not answer. This page goes on when it is back.";
  if (connection.textContent !== text) connection.textContent = text;
}

document.querySelector("nav").append(...tabs.map((tab) => tab.link));
main.append(...tabs.map((tab) => tab.node));
for (const tab of tabs) tab.node.hidden = true;
addEventListener("hashchange", follow);
setInterval(draw, AGAIN);
see = live(look, tell);
