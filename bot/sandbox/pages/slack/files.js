// Files: sending them to the server, and showing them before and after they are sent.

import { answered, h, reached, safe } from "../shared/dom.js";

const UNITS = ["B", "kB", "MB", "GB"];

/** Send a file's bytes as a person; answers the server's file object. */
export async function upload(user, file) {
  const query = new URLSearchParams({ user, name: file.name });
  return answered(await reached(`/_sandbox/upload?${query}`, { method: "POST", body: file }));
}

/** A file as a card, with a way to download it as `user`. */
export function drawFile(file, user) {
  if (file.mode === "tombstone") {
    return h("p", { class: "attached quiet" }, "This file was deleted.");
  }
  const path = `/_sandbox/files/${encodeURIComponent(file.id)}?${new URLSearchParams({ user })}`;
  const name = file.title || file.name;
  const href = safe(new URL(path, location.href));
  const get = h("a", {
    class: "download", href, download: file.name, "aria-label": `Download ${name}`,
  }, "Download");
  return h("div", { class: "attached" },
    h("span", { class: "glyph", "aria-hidden": "true" }, "📄"),
    h("span", { class: "name" }, name),
    h("span", { class: "quiet" }, size(file.size)),
    get);
}

/** "1.2 MB" */
export function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${Number((bytes / 1000 ** step).toFixed(1))} ${UNITS[step]}`;
}

/** A row of files; `send(file)` uploads one, `changed()` hears of every change. */
export class Chips {
  constructor(send, changed) {
    this.send = send;
    this.changed = changed;
    this.chips = [];
    this.node = h("ul", { class: "outgoing", "aria-label": "Files to send", hidden: true });
  }

  /** Show another list of files, and keep it up to date. */
  show(chips) {
    this.chips = chips;
    this.draw();
  }

  get uploading() {
    return this.chips.some((chip) => !chip.id);
  }

  /** Take the files out, to send them. */
  take() {
    const taken = this.chips.splice(0);
    this.draw();
    return taken;
  }

  /** Upload files; throws the server's words for the first that it did not take. */
  async add(files) {
    const { chips } = this;
    await Promise.all([...files].map((file) => this.upload(chips, file)));
  }

  async upload(chips, file) {
    const chip = { name: file.name, size: file.size };
    chips.push(chip);
    this.draw();
    try {
      chip.id = (await this.send(file)).id;
    } catch (error) {
      this.remove(chips, chip);
      throw error;
    } finally {
      this.draw();
    }
  }

  remove(chips, chip) {
    const at = chips.indexOf(chip);
    if (at >= 0) chips.splice(at, 1);
    this.draw();
  }

  draw() {
    this.node.hidden = this.chips.length === 0;
    this.node.replaceChildren(...this.chips.map((chip) => this.chip(chip)));
    this.changed();
  }

  chip(chip) {
    const on = { click: () => this.remove(this.chips, chip) };
    return h("li", {},
      h("span", { class: "name" }, chip.name),
      h("span", { class: "quiet" }, chip.id ? size(chip.size) : "uploading…"),
      h("button", {
        class: "bare small", type: "button", "aria-label": `Remove ${chip.name}`, on,
      }, "✕"));
  }
}
