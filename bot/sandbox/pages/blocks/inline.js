// Text within a line: one pass over it, by rules that each look at a bounded stretch.

import { h, link, safe } from "../shared/dom.js";
import { EMOJI } from "./emoji.js";

const LONGEST = 3000; // letters of an address, as Slack takes it in a block
const WORD = /[\p{L}\p{N}]/u;

/** Inline nodes so far, pairing the marks of styles as they come; a mark left alone is text. */
class Runs {
  constructor() {
    this.open = [{ mark: "", nodes: [] }];
  }

  add(...parts) {
    const { nodes } = this.open.at(-1);
    for (const part of parts) {
      const joins = typeof part === "string" && typeof nodes.at(-1) === "string";
      if (joins) nodes[nodes.length - 1] += part;
      else nodes.push(part);
    }
  }

  mark(mark, tag, { opens, closes }) {
    const isOpen = this.open.some((run) => run.mark === mark);
    if (isOpen && closes) this.close(mark);
    else if (!isOpen && opens) this.open.push({ mark, tag, nodes: [] });
    else this.add(mark);
  }

  close(mark) {
    while (this.open.at(-1).mark !== mark) this.giveUp();
    const { tag, nodes } = this.open.pop();
    this.add(h(tag, {}, nodes));
  }

  giveUp() {
    const { mark, nodes } = this.open.pop();
    this.add(mark, ...nodes);
  }

  /** No style outlives its line. */
  endLine() {
    while (this.open.length > 1) this.giveUp();
  }

  end() {
    this.endLine();
    return this.open[0].nodes;
  }
}

/**
 * Read `text` by the first rule that fits at each place. A rule's act declines with `false`, or
 * says how many letters it took if not all that it found.
 */
export function scan(text, rules, context) {
  const runs = new Runs();
  let at = 0;
  while (at < text.length) at += step(text, at, rules, runs, context);
  return runs.end();
}

function step(text, at, rules, runs, context) {
  for (const [pattern, act] of rules) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    const length = match ? act(match, runs, context) : false;
    if (length !== false) return length ?? match[0].length;
  }
  runs.add(text[at]);
  return 1;
}

export function asText([text], runs) {
  runs.add(text);
}

export function asNewLine(_found, runs) {
  runs.endLine();
  runs.add("\n");
}

function asEmoji([, name], runs) {
  if (!EMOJI.has(name)) return false;
  runs.add(EMOJI.get(name));
}

/** What stands around a mark decides: Slack and Markdown style words, not parts of them. */
export function edges({ 0: mark, index, input }) {
  const before = input[index - 1] ?? " ";
  const after = input[index + mark.length] ?? " ";
  const alone = before !== mark[0] && after !== mark[0];
  return {
    opens: alone && !WORD.test(before) && !/\s/.test(after),
    closes: alone && !WORD.test(after) && !/\s/.test(before),
  };
}

export function bareLink({ 0: text, index, input }, runs, decode) {
  if (WORD.test(input[index - 1] ?? " ")) return false;
  const address = text.replace(/[.,;:!?'"*_~)\]}]{1,40}$/, "");
  const url = decode(address);
  if (text.length > LONGEST || !safe(url)) return asFarAsTheNext(text, runs);
  runs.add(link(url, url), text.slice(address.length));
  return text.length;
}

/** Take what is no address as text: looking for one in it letter by letter takes too long. */
function asFarAsTheNext(found, runs) {
  const [stretch] = found.split(/(?!^)(?=https?:\/\/)/, 1);
  runs.add(stretch);
  return stretch.length;
}

export const SHORT_NAME = [/:([a-z0-9_+'-]{1,60}):/y, asEmoji];
