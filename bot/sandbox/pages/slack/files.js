// Files: sending them to the server, and showing them under a message.

import { answered, h, safe } from "./dom.js";

const UNITS = ["B", "kB", "MB", "GB"];

/** Send a file's bytes as a person; answers the server's file object. */
export async function upload(user, file) {
  const query = new URLSearchParams({ user, name: file.name });
  return answered(await fetch(`/_sandbox/upload?${query}`, { method: "POST", body: file }));
}

/** A file as a card, with a way to download it as `user`. */
export function drawFile(file, user) {
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
