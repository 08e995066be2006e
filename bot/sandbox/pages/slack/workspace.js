// The people, groups and channels of the workspace, and what a person sees at one address.

import { get, own } from "../shared/dom.js";
import { address } from "./address.js";

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
    return this.app.commands.find((entry) => entry.command === word);
  }

  /** The app's shortcuts of a type: "message" or "global". */
  shortcuts(type) {
    return this.app.shortcuts.filter((shortcut) => shortcut.type === type);
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
export class WorkspaceState {
  constructor() {
    this.address = "";
  }

  /** Read what changed at `place`; everything when the place is another than before. */
  async read(place) {
    const since = this.address === address(place) ? this.changes : 0;
    const query = queryFor(place, since);
    const news = await get(`/_sandbox/page?${query}`);
    const old = since ? this : {};
    const channel = merged(news.channel, old.channel);
    const thread = merged(news.thread, old.thread);
    // A server that was started anew counts from the beginning: the old state is useless then.
    if (since && (channel?.lacks || thread?.lacks)) return this.forget().read(place);
    return Object.assign(this, news, { channel, thread, address: address(place) });
  }

  forget() {
    this.address = "";
    return this;
  }
}

function queryFor({ user, channel, thread }, since) {
  return new URLSearchParams({ user, channel, thread, since });
}

/** The messages in their order: the new and changed ones, and the old ones of the rest. */
function merged(news, old) {
  if (!news) return null;
  const byTs = new Map(old?.messages.map((message) => [message.ts, message]));
  for (const message of news.messages) byTs.set(message.ts, message);
  const messages = news.order.map((ts) => byTs.get(ts)).filter(Boolean);
  return { messages, older: news.older, lacks: messages.length < news.order.length };
}
