// What a composer offers to complete: the app's commands, and whom or what one can name.

import { kindOf } from "./workspace.js";

const MOST = 8;
const SPECIALS = [
  { insert: "@here", name: "here", detail: "everybody who is active in this channel" },
  { insert: "@channel", name: "channel", detail: "everybody in this channel" },
  { insert: "@everyone", name: "everyone", detail: "everybody in the workspace" },
];

/**
 * What may complete `before`, the text before the caret: {start, rows: [{insert, name, detail}]},
 * `start` being where the word begins that a row replaces; null when nothing may.
 */
export function offers(before, { workspace, place, channels }) {
  const command = /^\/\S*$/.exec(before);
  if (command && !place.thread) return offered(0, command[0], commands(workspace));
  const word = /(?:^|[\s(])([@#][\w.-]*)$/.exec(before)?.[1];
  if (!word) return null;
  const all = word[0] === "@" ? mentions(workspace) : named(channels);
  return offered(before.length - word.length, word, all);
}

function offered(start, word, all) {
  const wanted = word.toLowerCase();
  const rows = all.filter((row) => matches(row, wanted)).slice(0, MOST);
  return rows.length ? { start, rows } : null;
}

function matches({ insert, name }, wanted) {
  return insert.toLowerCase().startsWith(wanted) ||
    (wanted[0] !== "/" && name.toLowerCase().startsWith(wanted.slice(1)));
}

function commands({ app }) {
  return app.commands.map(({ command, description, usage_hint: hint }) => ({
    insert: command, name: command, detail: description, hint,
  }));
}

function mentions({ everybody, groups }) {
  return [
    ...everybody.map((one) => ({ insert: `@${one.handle}`, name: one.name, detail: kindOf(one) })),
    ...groups.map((one) => ({ insert: `@${one.handle}`, name: one.name, detail: "group" })),
    ...SPECIALS,
  ];
}

function named(channels) {
  return channels
    .filter((channel) => channel.kind !== "im")
    .map(({ name }) => ({ insert: `#${name}`, name, detail: "channel" }));
}
