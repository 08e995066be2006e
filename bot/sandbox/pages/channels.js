// The navigation: the workspace, who one acts as, and every conversation with what is new in it.

import { h, keyed, link, safe } from "./dom.js";
import { address } from "./place.js";

const SIGNS = { channels: "#", groups: "🔒", im: "" };

/** The left side of the page. */
export class Channels {
  /** `ways`: {become(user), chosen()}, the latter for a conversation that was picked. */
  constructor(host, workspace, ways) {
    this.workspace = workspace;
    this.ways = ways;
    this.chooser = this.drawChooser();
    this.lists = { channels: list(), direct: list(), app: list() };
    host.append(
      h("h1", {}, workspace.team.name),
      h("label", { class: "acting" }, h("span", { class: "quiet" }, "Acting as"), this.chooser),
      part("Channels", this.lists.channels),
      part("Direct messages", this.lists.direct),
      part("Apps", this.lists.app),
      h("p", { class: "links" }, workspace.links.filter(({ url }) => safe(url)).map(outside)),
    );
  }

  drawChooser() {
    const options = this.workspace.people.map((person) =>
      h("option", { value: person.id }, this.workspace.describe(person)));
    const on = { change: (event) => this.ways.become(event.target.value) };
    return h("select", { "aria-label": "Acting as", on }, options);
  }

  /** Show what a person in `place` has. */
  show(place, channels) {
    const chat = this.workspace.appChat(place.user);
    this.chooser.value = place.user;
    this.fill("channels", place, channels.filter((channel) => channel.kind !== "im"));
    this.fill("direct", place, channels.filter(({ kind, id }) => kind === "im" && id !== chat));
    this.fill("app", place, channels.filter((channel) => channel.id === chat));
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
    anchor.replaceChildren(...inside(channel));
    return row;
  }
}

function list() {
  return h("ul");
}

function part(title, node) {
  return h("section", {}, h("h2", {}, title), node);
}

function outside({ name, url }) {
  return link(url, name, " ↗");
}

function classes({ unread, mentioned, is_archived: archived, is_member: member }) {
  const words = [(unread || mentioned) && "unread", (archived || !member) && "faded"];
  return words.filter(Boolean).join(" ");
}

function inside(channel) {
  return [
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[channel.kind]),
    h("span", { class: "name" }, channel.name),
    channel.kind === "im" ? h("span", { class: "badge" }, "APP") : null,
    channel.is_archived ? h("span", { class: "quiet" }, "archived") : null,
    news(channel),
  ].filter(Boolean);
}

function news({ unread, mentioned }) {
  const count = unread ? `${unread} unread` : "";
  if (mentioned) return h("span", { class: "mentions", "aria-label": said(count) }, unread || "@");
  return unread ? h("span", { class: "only-heard" }, count) : null;
}

function said(count) {
  return [count, "mentions you"].filter(Boolean).join(", ");
}
