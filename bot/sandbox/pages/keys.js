// Keys that work everywhere on the page.

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
