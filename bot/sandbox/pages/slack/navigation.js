// Where one is and where one can go: the navigation, titles, tabs, and the keys that lead there.

import { h, keyed, link, safe } from "../shared/dom.js";
import { address } from "./address.js";

const SIGNS = { channels: "#", groups: "🔒", im: "" };

/** The left side of the page. */
export class Channels {
  /** `ways`: {become(user), chosen()}, the latter for a conversation that was picked. */
  constructor(host, workspace, ways) {
    this.workspace = workspace;
    this.ways = ways;
    this.chooser = this.drawChooser();
    this.lists = { channels: h("ul"), app: h("ul") };
    host.append(
      h("h1", {}, workspace.team.name),
      h("div", { class: "acting" },
        h("label", { class: "quiet", htmlFor: "acting" }, "Acting as"), this.chooser,
        h("p", { class: "quiet", id: "acting-about" }, "It decides what you see and may do.")),
      part("Channels", this.lists.channels),
      part("Apps", this.lists.app),
      part("Elsewhere", h("ul", {}, workspace.links.filter(({ url }) => safe(url)).map(outside))),
    );
  }

  drawChooser() {
    const options = this.workspace.people.map((person) =>
      h("option", { value: person.id }, this.workspace.describe(person)));
    const on = { change: (event) => this.ways.become(event.target.value) };
    return h("select", { id: "acting", "aria-describedby": "acting-about", on }, options);
  }

  /** Show what a person in `place` has. */
  show(place, channels) {
    this.chooser.value = place.user;
    this.fill("channels", place, channels.filter((channel) => channel.kind !== "im"));
    this.fill("app", place, channels.filter((channel) => channel.kind === "im"));
  }

  fill(name, place, channels) {
    const node = this.lists[name];
    node.parentElement.hidden = channels.length === 0;
    keyed(node, channels, ({ id }) => id, (channel, old) => this.row(channel, place, old));
  }

  /** A row is redrawn inside its link, which may have the focus. */
  row(channel, place, old) {
    const row = old ?? h("li", {}, h("a", { on: { click: () => this.ways.chosen() } }));
    const anchor = row.firstChild;
    anchor.href = address({ user: place.user, channel: channel.id });
    anchor.className = classes(channel);
    if (channel.id === place.channel) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
    anchor.replaceChildren(...inside(channel, this.workspace));
    return row;
  }
}

function part(title, node) {
  return h("section", { hidden: !node.children.length }, h("h2", {}, title), node);
}

function outside({ name, url }) {
  const sign = h("span", { class: "sign", "aria-hidden": "true" }, "↗");
  return h("li", {}, link(url, sign, h("span", { class: "name" }, name)));
}

function classes({ unread, mentioned, is_archived: archived, is_member: member }) {
  const words = [(unread || mentioned) && "unread", (archived || !member) && "faded"];
  return words.filter(Boolean).join(" ");
}

function inside(channel, workspace) {
  return [
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[channel.kind]),
    h("span", { class: "name" }, channel.kind === "im" ? workspace.appName : channel.name),
    channel.is_archived ? h("span", { class: "quiet" }, "archived") : null,
    news(channel),
  ].filter(Boolean);
}

function news({ unread: count, more_unread: more, mentioned }) {
  const unread = count && more ? `${count}+` : count;
  const parts = [unread && `${unread} unread`, mentioned && "mentions you"].filter(Boolean);
  if (!parts.length) return null;
  return h("span", { class: mentioned ? "news mentions" : "news" },
    h("span", { "aria-hidden": "true" }, unread || "@"),
    h("span", { class: "only-heard" }, ` ${parts.join(", ")}`));
}

const node = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 720px)");

/** Show "workspace", "main" or "thread" where there is room for one only. */
export function showPart(part) {
  document.body.dataset.part = part;
}

/** Whether there is room for one part only. */
export const isNarrow = () => narrow.matches;

/** Why nothing can be written in a channel; "" when it can. */
export function closedWords({ name, is_archived: archived, is_member: member }) {
  if (archived) return `#${name} is archived: nobody can write here.`;
  return member ? "" : `You are not in #${name}, so you cannot write here.`;
}

/** Write the titles of the window and of its parts. */
export function showTitles(workspace, place, channel, channels) {
  const name = workspace.nameOf(channel);
  const news = channels.some(({ unread, mentioned }) => unread || mentioned) ? "• " : "";
  const person = workspace.person(place.user).name;
  document.title = `${news}${name} · ${person} · ${workspace.team.name}`;
  node("title").textContent = name;
  node("about").textContent = about(channel);
  node("thread-about").textContent = name;
  document.body.dataset.thread = place.thread ? "open" : "";
}

function about({ kind, is_archived: archived }) {
  if (archived) return "Archived";
  return { channels: "Channel", groups: "Private channel", im: "App" }[kind];
}

/** The tabs of the app's chat; `shown` only where the app has a Home. */
export function showTabs(place, shown) {
  const tabs = node("tabs");
  tabs.hidden = !shown;
  if (!tabs.children.length) tabs.append(h("a", {}, "Home"), h("a", {}, "Messages"));
  const [home, messages] = tabs.children;
  home.href = address({ ...place, thread: "", home: true });
  messages.href = address({ ...place, thread: "", home: false });
  home.setAttribute("aria-current", place.home ? "page" : "false");
  messages.setAttribute("aria-current", place.home ? "false" : "page");
}

const TYPING = "input, textarea, select, [contenteditable]";
const COVERING = "dialog[open], [popover]:popover-open";

/** "/" calls `write`, Escape calls `leave`, unless something else is there to take the key. */
export function bindKeys({ write, leave }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector(COVERING)) return;
    if (event.key === "Escape") leave();
    if (event.key !== "/" || event.target.closest(TYPING)) return;
    event.preventDefault();
    write();
  });
}
