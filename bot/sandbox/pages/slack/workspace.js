// Who and what is in the workspace: people, groups, channels, and the app with its commands.

import { get } from "./dom.js";

const KINDS = { bot: "app", outsider: "other organisation" };

/** Read the workspace, once per window. */
export async function readWorkspace() {
  return new Workspace(await get("/_sandbox/workspace"));
}

/** The answers of /_sandbox/workspace, by what the page asks of them. */
class Workspace {
  constructor({ team, people, groups, channels, app, links = [] }) {
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

  /** "Alice · member" */
  describe(person) {
    return `${person.name} · ${kindOf(person)}`;
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
export const kindOf = (person) => KINDS[person.kind] ?? person.kind;

function namesOf(things, key) {
  const names = new Map(things.map((thing) => [thing.id, thing[key]]));
  return (id) => names.get(id) ?? null;
}
