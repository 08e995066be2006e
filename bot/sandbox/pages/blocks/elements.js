// The elements that stand in blocks, each by what draws it.
// https://docs.slack.dev/reference/block-kit/block-elements

import { h, safe } from "../shared/dom.js";
import { button, overflow } from "./buttons.js";
import { choices, dated, localMinute, unixSeconds } from "./choices.js";
import { cannotDraw, stillBusy } from "./control.js";
import { fileInput, richInput, typed } from "./inputs.js";
import { channelGroup, externalSelect, peopleGroup, picker, staticGroups } from "./picker.js";

/** Draw the elements of a block that has several. */
export function drawElements(block, context) {
  return block.elements.map((element) =>
    drawElement({ block, element, context, aria: { "aria-label": kindOf(element) } }),
  );
}

function kindOf({ type, placeholder }) {
  return placeholder?.text ?? type.replaceAll("_", " ");
}

/** Draw one element in its slot. */
export function drawElement(slot) {
  const { type } = slot.element;
  const draw = ELEMENTS.get(type);
  if (!draw) return cannotDraw(type, "element");
  const node = draw(slot);
  stillBusy(slot, node);
  return node;
}

/** A picture this page may load; its words where there is none, or it turns out broken. */
export function picture({ image_url: url = "", alt_text: alt }, size) {
  const words = h("span", { class: "broken", role: "img", "aria-label": alt, text: `🖼 ${alt}` });
  const src = safe(url);
  if (!src.startsWith("https:") && !src.startsWith(`${location.origin}/`)) return words;
  const props = { class: size, src, alt, loading: "lazy", referrerPolicy: "no-referrer" };
  const node = h("img", props);
  node.addEventListener("error", () => node.replaceWith(words));
  return node;
}

const plain = { type: "text", autocomplete: "off" };
const ELEMENTS = new Map(
  Object.entries({
    button,
    image: ({ element }) => picture(element, "thumbnail"),
    overflow,
    static_select: picker(false, staticGroups),
    multi_static_select: picker(true, staticGroups),
    external_select: externalSelect,
    multi_external_select: externalSelect,
    users_select: picker(false, peopleGroup),
    multi_users_select: picker(true, peopleGroup),
    channels_select: picker(false, channelGroup),
    multi_channels_select: picker(true, channelGroup),
    conversations_select: picker(false, channelGroup),
    multi_conversations_select: picker(true, channelGroup),
    datepicker: dated("date", { min: "1900-01-01", max: "9999-12-31" }),
    timepicker: dated("time", {}),
    datetimepicker: dated("datetime-local", {
      shown: localMinute,
      entered: unixSeconds,
      max: "9999-12-31T23:59",
    }),
    radio_buttons: choices("radio"),
    checkboxes: choices("checkbox"),
    plain_text_input: typed(plain),
    email_text_input: typed({ ...plain, type: "email" }),
    url_text_input: typed({ ...plain, type: "url" }),
    number_input: typed({ ...plain, inputMode: "decimal" }),
    rich_text_input: richInput,
    file_input: fileInput,
  }),
);
