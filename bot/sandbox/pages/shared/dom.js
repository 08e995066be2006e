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
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
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

/** Read JSON; throws an Error with the server's own words. */
export async function get(path) {
  return answered(await fetch(path));
}

/** Send JSON and read the answer; throws an Error with the server's own words. */
export async function post(path, fields = {}) {
  const headers = { "Content-Type": "application/json" };
  return answered(await fetch(path, { method: "POST", headers, body: JSON.stringify(fields) }));
}

export async function answered(reply) {
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) {
    throw new Error(body.error || body.error_msg || body.message || `HTTP ${reply.status}`);
  }
  return body;
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

/**
 * Call `look` now and after every change of the server, one look at a time. `tell(false)` says
 * that the server is gone, `tell(true)` that it is back. Returns a function that asks for another
 * look.
 */
export function live(look, tell) {
  const see = onceMore(look);
  const news = new EventSource("/_sandbox/news");
  news.onmessage = see;
  news.onopen = () => tell(true);
  news.onerror = () => tell(false);
  return see;
}

/**
 * Make the children of `parent` be those of `items`, in their order, touching only what differs:
 * focus, scrolling and what was typed stay. `draw(item, old)` returns an item's node; `old` is
 * the one it had, which it may update and return.
 */
export function keyed(parent, items, key, draw) {
  const focused = document.activeElement;
  const before = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = new Set(items.map((item) => String(key(item))));
  for (const [id, node] of before) if (!wanted.has(id)) node.remove();
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
