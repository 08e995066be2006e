// The input of a person, which survives a redrawing of the page: the focus, and unsent text.

import { own } from "../shared/dom.js";

const typed = new Map(); // what was entered, by owner and element
const drafts = new Map(); // unsent text, by conversation
const files = new Map(); // what goes with the next message, by conversation
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
 * Blocks carry `data-block-id`, their elements `data-action-id`, messages `data-ts`.
 */
export function placeOf(element) {
  const item = element.closest("[data-ts]");
  return {
    element,
    list: item?.parentElement,
    ts: item?.dataset.ts,
    block: element.closest("[data-block-id]")?.dataset.blockId,
    action: element.closest("[data-action-id]")?.dataset.actionId,
    caret: caretOf(element),
  };
}

/** Bring the focus back to a place, or as near as there still is; `within` holds its action. */
export function focusAgain({ element, list, ts, block, action, caret }, within) {
  const item = ts && list ? list.querySelector(`[data-ts="${CSS.escape(ts)}"]`) : null;
  const target = usable(element) ?? byAction(within ?? item, block, action) ?? item;
  target?.focus();
  if (caret && target && "selectionStart" in target) target.setSelectionRange(...caret);
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

function byAction(within, block, action) {
  if (!within || !action) return null;
  const same = `[data-action-id="${CSS.escape(action)}"]`;
  const inBlock = within.querySelector(`[data-block-id="${CSS.escape(block)}"] ${same}`);
  const marked = inBlock ?? within.querySelector(same);
  if (!marked || marked.matches("button, input, select, textarea")) return marked;
  return firstControl(marked) ?? marked;
}

function caretOf(element) {
  const typed = element.matches("textarea, input[type=text]");
  return typed ? [element.selectionStart, element.selectionEnd] : null;
}

// What was entered in blocks.

const key = (block, element) => JSON.stringify([block.block_id, element.action_id]);

/** Keep a value of `owner`: a view's id, or a message's place. */
export function fill(owner, block, element, value) {
  if (!typed.has(owner)) typed.set(owner, new Map());
  typed.get(owner).set(key(block, element), { block, element, value });
}

/** The value last kept; undefined when nobody touched it, or it is no longer offered. */
export function entered(owner, block, element) {
  return offered(element, typed.get(owner)?.get(key(block, element))?.value);
}

/** The part of a choice that is still among an element's options. */
function offered({ options, option_groups: groups }, chosen) {
  const all = options ?? groups?.flatMap((group) => group.options);
  if (!all) return chosen;
  const isThere = (value) => all.some((option) => option.value === value);
  if (Array.isArray(chosen)) return chosen.filter(isThere);
  return isThere(chosen) ? chosen : undefined;
}

/** Whether an element keeps what was picked in it. */
export const keeps = (element) => !["button", "overflow"].includes(element.type);

/** Forget what was typed in a view that is closed. */
export function forget(owner) {
  typed.delete(owner);
}

/** The value an element of a view has: typed here, else what the server knows of it. */
export function inView(view, block, element) {
  const value = entered(view.id, block, element);
  if (value !== undefined) return value;
  const state = own(own(view.state?.values, block.block_id), element.action_id);
  return offered(element, bare(state));
}

/** What is typed in the inputs a view has now, by block id, as a submission takes it. */
export function submission(view) {
  const inputs = view.blocks.filter((block) => block.type === "input");
  const pairs = inputs.map((block) => [block.block_id, entered(view.id, block, block.element)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

/** What is typed in inputs that the app only hears of with something else: [block, value]. */
export function unheard(view) {
  return view.blocks
    .filter((block) => block.type === "input" && !block.dispatch_action)
    .map((block) => [block, entered(view.id, block, block.element)])
    .filter(([, value]) => value !== undefined);
}

/** The bare value inside one element's state, as Slack reports it. */
function bare(state) {
  const entry = Object.entries(state ?? {}).find(([name]) => name !== "type");
  const value = entry?.[1] ?? undefined;
  return Array.isArray(value) ? value.map(bareItem) : bareItem(value);
}

const bareItem = (value) => value?.value ?? value?.id ?? value;

// Unsent messages: text survives a reload if the browser has room for it, files do not.

/** The unsent text of a conversation. */
export const draftOf = (key) => drafts.get(key) ?? sessionStorage.getItem(`draft ${key}`) ?? "";

/** Keep the unsent text of a conversation. */
export function keepDraft(key, text) {
  drafts.set(key, text);
  try {
    sessionStorage.setItem(`draft ${key}`, text);
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    sessionStorage.removeItem(`draft ${key}`);
  }
}

/** The files that go with a conversation's next message: a list that is kept. */
export function filesOf(key) {
  if (!files.has(key)) files.set(key, []);
  return files.get(key);
}
