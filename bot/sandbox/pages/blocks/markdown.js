// The markdown block, and tables. https://docs.slack.dev/reference/block-kit/blocks/markdown-block

import { h, link, safe } from "../shared/dom.js";
import { SHORT_NAME, asNewLine, asText, bareLink, edges, scan } from "./inline.js";

const DEEPEST = 6; // levels of quotes and lists in a markdown block; what is deeper stays text

const MARKDOWN = [
  [/[^\n\\`*_~![<:h]+/y, asText],
  [/\n/y, asNewLine],
  [/\\([!-/:-@[-`{-~])/y, ([, letter], runs) => runs.add(letter)],
  [/`([^`\n]+)`/y, ([, code], runs) => runs.add(h("code", { text: code }))],
  [
    /!?\[([^[\]\n]{1,2000})\]\(([^\s()<>]{1,3000})(?: "[^"\n]{0,300}")?\)/y,
    ([, label, address], runs) => (safe(address) ? runs.add(link(address, label)) : false),
  ],
  [/<(https?:[^\s<>]{1,3000})>/y, ([, address], runs) => runs.add(link(address, address))],
  [/https?:\/\/[^\s<>]{1,3001}/y, (found, runs) => bareLink(found, runs, (address) => address)],
  SHORT_NAME,
  [/\*{3}|_{3}/y, (found, runs) => asBoth(found, runs)],
  [/\*\*|__/y, (found, runs) => runs.mark(found[0], "strong", edges(found))],
  [/~~/y, (found, runs) => runs.mark("~~", "s", edges(found))],
  [/[*_]/y, (found, runs) => runs.mark(found[0], "em", edges(found))],
];

/** Three marks are bold and italic at once, and close in the other order. */
function asBoth(found, runs) {
  const around = edges(found);
  const [double, single] = [found[0].slice(1), found[0][0]];
  if (around.closes) runs.mark(single, "em", around);
  runs.mark(double, "strong", around);
  if (!around.closes) runs.mark(single, "em", around);
}

// Each takes lines from `at` on: returns [node or nodes, the line after], or null to decline.
const PASSAGES = [blank, fenced, heading, rule, quoted, list, pipeTable, paragraph];
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +)(?=\S)/;
const STARTS = /^ {0,3}(?:```|~~~|#{1,6} |>|(?:[-*+]|\d{1,9}[.)]) +\S|([-*_])( *\1){2,} *$)/;
const DELIMITERS = /^\|? *:?-+:? *(?:\| *:?-+:? *)*\|?$/;

/** Draw a markdown block's text as a list of nodes. */
export function drawMarkdown(text, context) {
  return structure(text.replaceAll("\r\n", "\n").split("\n"), context, 0);
}

function structure(lines, context, depth) {
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const [made, next] = passage(lines, at, context, depth);
    nodes.push(made);
    at = next;
  }
  return nodes;
}

function passage(lines, at, context, depth) {
  for (const read of depth < DEEPEST ? PASSAGES : [paragraph]) {
    const result = read(lines, at, context, depth);
    if (result) return result;
  }
  return null;
}

function blank(lines, at) {
  return lines[at].trim() ? null : [[], at + 1];
}

function fenced(lines, at) {
  const [, fence] = /^ {0,3}(```|~~~)/.exec(lines[at]) ?? [];
  if (!fence) return null;
  const end = firstFrom(lines, at + 1, (line) => line.trim() === fence);
  return [h("pre", {}, h("code", { text: lines.slice(at + 1, end).join("\n") })), end + 1];
}

function firstFrom(lines, from, ends) {
  let at = from;
  while (at < lines.length && !ends(lines[at])) at += 1;
  return at;
}

function heading(lines, at, context) {
  const [, marks, words] = /^ {0,3}(#{1,6}) +(.*)$/.exec(lines[at]) ?? [];
  if (!marks) return null;
  // A message is no document of its own: its headings begin below those of the page.
  const tag = `h${Math.min(marks.length + 2, 6)}`;
  return [h(tag, {}, scan(words.replace(/ #+ *$/, ""), MARKDOWN, context)), at + 1];
}

function rule(lines, at) {
  return /^ {0,3}([-*_])( *\1){2,} *$/.test(lines[at]) ? [h("hr"), at + 1] : null;
}

function quoted(lines, at, context, depth) {
  const mark = /^ {0,3}> ?/;
  if (!mark.test(lines[at])) return null;
  const end = firstFrom(lines, at, (line) => !mark.test(line));
  const inside = lines.slice(at, end).map((line) => line.replace(mark, ""));
  return [h("blockquote", {}, structure(inside, context, depth + 1)), end];
}

function list(lines, at, context, depth) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const ordered = /\d/.test(first[2]);
  const items = [];
  let next = at;
  for (;;) {
    const match = ITEM.exec(lines[next] ?? "");
    if (!match || /\d/.test(match[2]) !== ordered) break;
    const end = firstFrom(lines, next + 1, (line) => !/^ {2,}\S|^\t/.test(line));
    items.push(item(lines.slice(next, end), match[0].length, context, depth + 1));
    next = end;
  }
  const start = ordered ? parseInt(first[2], 10) : null;
  return [h(ordered ? "ol" : "ul", { start }, items), next];
}

function item([first, ...rest], width, context, depth) {
  const words = first.slice(width);
  const [, tick] = /^\[([ xX])\] +/.exec(words) ?? [];
  const inside = rest.map((line) => line.replace(/^(?:\t| {1,4})/, ""));
  const more = structure(inside, context, depth);
  if (!tick) return h("li", {}, scan(words, MARKDOWN, context), more);
  const done = tick !== " ";
  const box = { type: "checkbox", disabled: true, checked: done, "aria-label": "done" };
  return h("li", { class: "task" }, h("input", box), scan(words.slice(4), MARKDOWN, context), more);
}

function pipeTable(lines, at, context) {
  const isTable = lines[at].includes("|") && DELIMITERS.test((lines[at + 1] ?? "").trim());
  if (!isTable) return null;
  const end = firstFrom(lines, at + 2, (line) => !line.includes("|"));
  const columns = cells(lines[at + 1]).map((mark) => ({ align: aligned(mark), is_wrapped: true }));
  const rows = [lines[at], ...lines.slice(at + 2, end)].map((line) =>
    cells(line).map((cell) => scan(cell, MARKDOWN, context)),
  );
  return [drawTable(rows, columns), end];
}

function cells(line) {
  return line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((cell) => cell.trim());
}

function aligned(mark) {
  if (!mark.endsWith(":")) return "left";
  return mark.startsWith(":") ? "center" : "right";
}

function paragraph(lines, at, context) {
  const end = firstFrom(lines, at + 1, (line) => !line.trim() || STARTS.test(line));
  return [h("p", {}, scan(lines.slice(at, end).join("\n"), MARKDOWN, context)), end];
}

/** Draw rows of cells, each a list of nodes, as a table that scrolls sideways in its own box. */
export function drawTable([head, ...body], columns) {
  const row = (tag) => (cellsOfRow) =>
    h("tr", {}, cellsOfRow.map((cell, at) => h(tag, cellProps(tag, columns[at]), cell)));
  const rows = [h("thead", {}, row("th")(head)), h("tbody", {}, body.map(row("td")))];
  const props = { class: "sideways", role: "region", "aria-label": "Table", tabIndex: 0 };
  return h("div", props, h("table", {}, rows));
}

function cellProps(tag, column) {
  const align = ["center", "right"].includes(column?.align) ? column.align : "left";
  const scope = tag === "th" ? "col" : null;
  return { class: column?.is_wrapped ? `${align} wrapped` : align, scope };
}
