// What people type or bring along: text, numbers, rich text, files.

import { h, onceMore } from "../shared/dom.js";
import { busy, control, held, newId, removing } from "./control.js";
import { drawRichText } from "./rich_text.js";

const NEAR_LIMIT = 100; // letters left from which an input counts them

/** A text field; `props` are those of its input where it has one line. */
export function typed(props) {
  return (slot) => {
    const { element } = slot;
    const words = { placeholder: element.placeholder?.text, value: held(slot) ?? "" };
    const [tag, more] = element.multiline ? ["textarea", {}] : ["input", props];
    return filling(slot, h(tag, { ...control(slot), ...more, ...words }));
  };
}

/** Tell what is typed in `node`; returns it with what is said under it. */
function filling({ block, element, context }, node) {
  node.addEventListener("input", () => context.fill(block, element, node.value));
  const hint = block.dispatch_action ? dispatching({ block, element, context }, node) : null;
  const count = element.max_length || element.min_length ? counter(node, element) : null;
  return hint || count ? h("div", { class: "typed" }, node, hint, count) : node;
}

/**
 * Press when something is entered, by default on Enter; returns a hint if Enter does.
 * https://docs.slack.dev/reference/block-kit/composition-objects/
 *   dispatch-action-configuration-object
 */
function dispatching({ block, element, context }, node) {
  const { trigger_actions_on: on = ["on_enter_pressed"] } = element.dispatch_action_config ?? {};
  const latest = () => context.entered(block, element) ?? node.value;
  const press = onceMore(() => context.press(block, element, latest()));
  if (on.includes("on_character_entered")) node.addEventListener("input", press);
  if (!on.includes("on_enter_pressed")) return null;
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    press();
  });
  const id = newId();
  const described = [node.getAttribute("aria-describedby"), id].filter(Boolean).join(" ");
  node.setAttribute("aria-describedby", described);
  return h("small", { class: "quiet", id, text: "Press Enter to send this." });
}

/** Slack lets people type past the limit, and refuses it when they submit. */
function counter(node, { min_length: least = 0, max_length: most = Infinity }) {
  const count = h("small", { class: "count quiet", "aria-live": "polite" });
  const show = () => {
    const { length } = node.value;
    const remaining = most - length;
    count.classList.toggle("over", remaining < 0);
    if (remaining < 0) count.textContent = `${-remaining} too many`;
    else if (length && length < least) count.textContent = `${least - length} more needed`;
    else count.textContent = remaining <= Math.min(NEAR_LIMIT, most / 4) ? `${remaining} left` : "";
  };
  node.addEventListener("input", show);
  show();
  return count;
}

/** Rich text is written plain here. */
export function richInput(slot) {
  const begun = held(slot) ?? "";
  const words = typeof begun === "string" ? begun : plainOf(begun, slot.context);
  const placeholder = slot.element.placeholder?.text;
  return filling(slot, h("textarea", { ...control(slot), placeholder, value: words }));
}

function plainOf({ elements }, context) {
  return drawRichText(elements, context)
    .map((node) => node.textContent)
    .join("\n");
}

const fileNames = new Map(); // by id, of the files given here: an input holds only ids

/** Files, stored as they are chosen; what is told is their ids. */
export function fileInput(slot) {
  const { filetypes = [], max_files: most = 10 } = slot.element;
  const accept = filetypes.map((kind) => kind.replace(/^\.?/, ".")).join(",");
  const node = h("input", { ...control(slot), type: "file", multiple: most > 1, accept });
  const list = h("ul", { class: "files", "aria-label": "Chosen files" });
  const trouble = h("p", { class: "wrong", role: "alert" });
  const wrap = h("div", { class: "file" }, node, list, trouble);
  let ids = held(slot) ?? [];
  const show = () => {
    list.replaceChildren(...ids.map((id) => fileLine(id, () => keep(without(ids, id)))));
    node.disabled = ids.length >= most;
  };
  const keep = (next) => {
    ids = next;
    show();
    node.focus();
    slot.context.fill(slot.block, slot.element, ids);
  };
  node.addEventListener("change", async () => {
    const files = [...node.files].slice(0, most - ids.length);
    const { stored, failed } = await busy(wrap, () => storeAll(files, slot.context));
    node.value = "";
    trouble.textContent = failed;
    keep([...ids, ...stored]);
  });
  show();
  return wrap;
}

function without(list, gone) {
  return list.filter((each) => each !== gone);
}

function fileLine(id, remove) {
  const name = fileNames.get(id) ?? id;
  return h("li", {}, `📄 ${name}`, removing(name, remove));
}

/** Store files in their order; what failed does not take the others with it. */
async function storeAll(files, context) {
  const stored = [];
  const failed = [];
  for (const file of files) {
    try {
      const { id, name } = await context.upload(file);
      fileNames.set(id, name);
      stored.push(id);
    } catch (error) {
      failed.push(`${file.name} was not stored: ${error.message}`);
    }
  }
  return { stored, failed: failed.join("; ") };
}
