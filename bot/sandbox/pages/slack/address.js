// The address of this window: #person/channel/thread or #person/channel/home.

import { decoded } from "../shared/dom.js";

const HOME = "home";

/** The place in the address: {user, channel, thread, home}; a missing part is "" or false. */
export function here() {
  const parts = decoded(location.hash.slice(1)).split("/");
  const [user = "", channel = "", at = ""] = parts;
  return { user, channel, thread: at === HOME ? "" : at, home: at === HOME };
}

/** The address of a place within this page, for a link. */
export function address({ user, channel, thread = "", home = false }) {
  return `#${[user, channel, home ? HOME : thread].filter(Boolean).join("/")}`;
}

/** Go to a place, so that the browser's Back returns. */
export function go(place) {
  location.hash = address(place);
}

/** Go to a place without a step in the browser's history. */
export function stand(place) {
  history.replaceState(null, "", address(place));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The name under which drafts and notices of a conversation are kept. */
export function conversationOf({ user, channel, thread }) {
  return [user, channel, thread].join("/");
}
