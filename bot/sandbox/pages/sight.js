// What the server shows one person in one place: read by what changed, kept whole.

import { get } from "./dom.js";
import { address } from "./place.js";

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
  return { messages, lacks: messages.length < seen.order.length };
}
