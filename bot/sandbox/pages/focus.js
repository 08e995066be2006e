// Where the keyboard is, in words that outlive a redrawing of the page.

let last = null;

document.addEventListener("focusin", ({ target }) => (last = target));

/** What has the focus within `node`, or lost it by being disabled while it works; else null. */
export function focusWithin(node) {
  const active = document.activeElement;
  const element = active === document.body && last?.disabled ? last : active;
  return node.contains(element) ? placeOf(element) : null;
}

/**
 * An element's place: itself, else the same action of the same message or view, else the message.
 * Elements of blocks carry `data-action-id`, messages `data-ts`.
 */
export function placeOf(element) {
  const item = element.closest("[data-ts]");
  return {
    element,
    list: item?.parentElement,
    ts: item?.dataset.ts,
    action: element.closest("[data-action-id]")?.dataset.actionId,
    caret: caretOf(element),
  };
}

/** Bring the focus back to a place, or as near as there still is; `within` holds its action. */
export function focusAgain({ element, list, ts, action, caret }, within) {
  const item = ts && list ? list.querySelector(`[data-ts="${CSS.escape(ts)}"]`) : null;
  const found = usable(element) ?? byAction(within ?? item, action) ?? item;
  found?.focus();
  if (caret && found && "selectionStart" in found) found.setSelectionRange(...caret);
}

/** The first thing in `node` that is there to be filled in, else the first to be pressed. */
export function firstControl(node) {
  const inputs = "[autofocus], input:not([type=hidden]), select, textarea";
  return node.querySelector(inputs) ?? node.querySelector("button, a[href]");
}

function usable(element) {
  const real = element?.isConnected && element !== document.body;
  return real && !element.disabled ? element : null;
}

function byAction(within, action) {
  if (!within || !action) return null;
  const marked = within.querySelector(`[data-action-id="${CSS.escape(action)}"]`);
  if (!marked || marked.matches("button, input, select, textarea")) return marked;
  return firstControl(marked) ?? marked;
}

function caretOf(element) {
  const typed = element.matches("textarea, input[type=text]");
  return typed ? [element.selectionStart, element.selectionEnd] : null;
}
