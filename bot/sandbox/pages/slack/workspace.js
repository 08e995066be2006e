// Who and what is in the workspace, and what one person in one place sees of it.

import { get, own } from "../shared/dom.js";
import { address } from "./place.js";

const KINDS = { bot: "app", outsider: "other organisation" };
const MEMBER = "member"; // which goes without saying of somebody who is in a group

/** Read the workspace, once per window. */
export async function readWorkspace() {
  return new Workspace(await get("/_sandbox/workspace"));
}

/** The answers of /_sandbox/workspace, by what the page asks of them. */
class Workspace {
  constructor({ team, people, groups, channels, app, links }) {
    Object.assign(this, { team, groups, app, links });
    this.everybody = people;
    this.people = people.filter((person) => person.kind !== "bot");
    this.names = {
      user: namesOf(people, "name"),
      group: namesOf(groups, "handle"),
      channel: namesOf(channels, "name"),
    };
  }

  person(id) {
    return this.everybody.find((person) => person.id === id);
  }

  /** "Alice · SOC": what decides what one may do here, the kind of person and their groups. */
  describe(person) {
    const groups = this.groups.filter(({ users }) => users.includes(person.id));
    const kind = groups.length && person.kind === MEMBER ? [] : [kindOf(person)];
    return `${person.name} · ${[...kind, ...groups.map(({ name }) => name)].join(", ")}`;
  }

  /** What a conversation is called: "#soc", or the app's own name. */
  nameOf({ kind, name }) {
    return kind === "im" ? this.appName : `#${name}`;
  }

  get appName() {
    return this.person(this.app.user).name;
  }

  /** The command a line begins with, if the app has it. */
  command(line) {
    const [word] = line.split(/\s/, 1);
    return this.app.commands.find((one) => one.command === word);
  }

  /** The app's shortcuts of a type: "message" or "global". */
  shortcuts(type) {
    return this.app.shortcuts.filter((one) => one.type === type);
  }

  /** The channel of a person's chat with the app. */
  appChat(user) {
    return this.person(user)?.dm ?? "";
  }
}

/** What sets a person apart, in a word or two. */
export const kindOf = (person) => own(KINDS, person.kind) ?? person.kind;

function namesOf(things, key) {
  const names = new Map(things.map((thing) => [thing.id, thing[key]]));
  return (id) => names.get(id) ?? null;
}

/** One window's view of the workspace. */
export class Sight {
  constructor() {
    this.address = "";
  }

  /** Read what changed at `place`; everything when the place is another than before. */
  async read(place) {
    const since = this.address === address(place) ? this.changes : 0;
    const query = queryFor(place, since);
    const seen = await get(`/_sandbox/page?${query}`);
    const known = since ? this : {};
    const channel = merged(seen.channel, known.channel);
    const thread = merged(seen.thread, known.thread);
    // A server that was started anew counts from the beginning: what we know is of no use then.
    if (since && (channel?.lacks || thread?.lacks)) return this.forget().read(place);
    return Object.assign(this, seen, { channel, thread, address: address(place) });
  }

  forget() {
    this.address = "";
    return this;
  }
}

function queryFor({ user, channel, thread }, since) {
  return new URLSearchParams({ user, channel, thread, since });
}

/** The messages in their order: what came now, and what was known before of the rest. */
function merged(seen, known) {
  if (!seen) return null;
  const byTs = new Map(known?.messages.map((message) => [message.ts, message]));
  for (const message of seen.messages) byTs.set(message.ts, message);
  const messages = seen.order.map((ts) => byTs.get(ts)).filter(Boolean);
  return { messages, older: seen.older, lacks: messages.length < seen.order.length };
}
