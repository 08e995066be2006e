// The frame around a conversation: titles, tabs, and which part a small screen shows.

import { h } from "./dom.js";
import { address } from "./place.js";

const node = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 720px)");

/** Show "workspace", "main" or "thread" where there is room for one only. */
export function showPart(part) {
  document.body.dataset.part = part;
}

/** Whether there is room for one part only. */
export const isNarrow = () => narrow.matches;

/** What a conversation is called: "#soc", or the app's name. */
export function nameOf({ kind, name }) {
  return kind === "im" ? name : `#${name}`;
}

/** Why nothing can be written in a channel; "" when it can. */
export function closedWords(channel) {
  if (channel.is_archived) return `${nameOf(channel)} is archived: nobody can write here.`;
  return channel.is_member ? "" : `You are not in ${nameOf(channel)}, so you cannot write here.`;
}

/** Write the titles of the window and of its parts. */
export function showTitles(workspace, place, channel, channels) {
  const name = nameOf(channel);
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
