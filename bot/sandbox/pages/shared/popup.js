// What opens beside a control: where it stands, when it goes, and which key leads where in it.

const GAP = 6; // pixels between a control and its list

/**
 * Open a popover beside `anchor` until the function that this returns is called, or something else
 * is pressed. It stands in the top layer, where no scrolling box cuts it off.
 */
export function openBeside(anchor, popup, onClose) {
  const open = new AbortController();
  const { signal } = open;
  const close = () => {
    if (signal.aborted) return;
    open.abort();
    popup.hidePopover();
    anchor.setAttribute("aria-expanded", "false");
    onClose();
  };
  const elsewhere = ({ target }) => anchor.contains(target) || popup.contains(target) || close();
  const move = () => place(popup, anchor);
  popup.showPopover();
  anchor.setAttribute("aria-expanded", "true");
  move();
  document.addEventListener("pointerdown", elsewhere, { capture: true, signal });
  window.addEventListener("scroll", move, { capture: true, signal });
  window.addEventListener("resize", move, { signal });
  return close;
}

/** Put `popup` below `anchor`, above it where there is no room below. */
export function place(popup, anchor) {
  const at = anchor.getBoundingClientRect();
  popup.style.minWidth = `${at.width}px`;
  const { width, height } = popup.getBoundingClientRect();
  const fits = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
  popup.style.left = `${Math.max(GAP, Math.min(at.left, innerWidth - width - GAP))}px`;
  popup.style.top = `${fits ? at.bottom + GAP : at.top - height - GAP}px`;
}

/** Which of `count` a key moves to, counted from 0; undefined for any other key. */
export function moved(key, at, count) {
  const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[key];
  return to === undefined ? undefined : (to + count) % count;
}
