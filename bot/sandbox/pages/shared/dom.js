// What both pages build with: nodes, calls, and news. No text ever becomes markup here.

/**
 * Make an element. `props`: `class`, `text`, `on` ({event: listener}), `data` ({name: value}),
 * properties the element has (value, disabled, checked, …), and attributes (aria-*, role, …);
 * null, undefined and false leave a prop out. Children are nodes, strings, or lists of them.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "on") listen(node, value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name in node && !name.startsWith("aria")) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

function listen(node, listeners) {
  for (const [event, listener] of Object.entries(listeners)) node.addEventListener(event, listener);
}

/** The address if it is one that may be followed: http, https or mailto. Otherwise "". */
export function safe(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/** A link that opens beside this page and tells nobody where it was followed. */
export function link(address, ...children) {
  const href = safe(address);
  if (!href) return h("span", {}, ...children);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/** What `object` itself has under a name that others chose; never what it inherits. */
export function own(object, name) {
  return Object.hasOwn(object ?? {}, name) ? object[name] : undefined;
}

/** A part of an address without its escapes; as it is where they are broken. */
export function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Read JSON; throws an Error with the server's own words. */
export async function get(path) {
  return answered(await reached(path));
}

/** Send JSON and read the answer; throws an Error with the server's own words. */
export async function post(path, fields = {}) {
  const headers = { "Content-Type": "application/json" };
  return answered(await reached(path, { method: "POST", headers, body: JSON.stringify(fields) }));
}

/** What `fetch` answers; throws an Error in words where nobody does. */
export async function reached(path, asked) {
  try {
    return await fetch(path, asked);
  } catch {
    throw new Error("the local stand-in does not answer, so it is unknown whether it was taken");
  }
}

/** The JSON of a reply; for a refusal or anything else an Error with its `status`. */
export async function answered(reply) {
  const body = await reply.json().catch(() => undefined);
  if (reply.ok && body !== undefined) return body;
  const words = body?.error || body?.error_msg || body?.message;
  const otherwise = reply.ok ? "the answer is no JSON" : `HTTP ${reply.status}`;
  throw Object.assign(new Error(words || otherwise), { status: reply.status });
}

/** A function that runs `act`, one run at a time: calls during a run are one more run after it. */
export function onceMore(act) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      try {
        await act();
      } catch (error) {
        console.error(error);
      }
    }
    running = false;
  };
}

const RETRY = 1000; // milliseconds until a look that failed is tried again

/**
 * Call `look` now and after every change of the server, one look at a time. `tell(false)` says
 * that the server is gone, `tell(true)` that it is back. Returns a function that asks for another
 * look.
 */
export function live(look, tell) {
  let news = null;
  const see = onceMore(async () => {
    try {
      await look();
    } catch (error) {
      console.error(error);
      // A stream that comes back brings another look by itself.
      if (news?.readyState === EventSource.OPEN) setTimeout(see, RETRY);
    }
  });
  // Browsers allow few connections to one server: windows that nobody sees must not hold them.
  const follow = () => {
    news?.close();
    news = document.hidden ? null : newsStream(see, tell);
  };
  document.addEventListener("visibilitychange", follow);
  follow();
  return see;
}

/** The server's stream of changes; its first event comes at once. */
function newsStream(see, tell) {
  const news = new EventSource("/_sandbox/news");
  news.onmessage = see;
  news.onopen = () => tell(true);
  news.onerror = () => tell(false);
  return news;
}

/**
 * Make the children of `parent` be those of `items`, in their order, touching only what differs:
 * focus, scrolling and what was typed stay. `draw(item, old)` returns an item's node; `old` is
 * the one it had, which it may update and return.
 */
export function keyed(parent, items, key, draw) {
  const focused = document.activeElement;
  const before = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const keys = new Set(items.map((item) => String(key(item))));
  for (const [id, node] of before) if (!keys.has(id)) node.remove();
  let at = parent.firstElementChild;
  for (const item of items) {
    const id = String(key(item));
    const old = before.get(id);
    const node = draw(item, old);
    node.dataset.key = id;
    if (old && old !== node) {
      old.replaceWith(node);
      if (at === old) at = node;
    }
    at = placed(parent, node, at);
  }
  // Moving a node takes the focus from it.
  if (focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

/** Put `node` where `at` is, and return what comes after it. */
function placed(parent, node, at) {
  if (node === at) return at.nextElementSibling;
  // The one in between is to go further down: it is cheaper to move than all that follow it.
  if (at && node === at.nextElementSibling) return node.nextElementSibling;
  parent.insertBefore(node, at);
  return at;
}
