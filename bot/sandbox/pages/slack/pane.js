// A conversation with its composer: the channel's in the middle, the thread's beside it.

import { act, hint, labelOf, refusal, send } from "./actions.js";
import { offers } from "./completion.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { upload } from "./files.js";
import { openMenu } from "./menu.js";
import { drawMessage, plainText } from "./message.js";
import { failure, heard, toast } from "./notices.js";
import { address, conversationOf, go } from "./address.js";
import { entered, fill, keeps } from "./input_state.js";
import { pressable } from "./views.js";

/** One pane. `ways`: {workspace, base(), channels(), inThread, shortcuts?(button)}. */
export class Pane {
  constructor(host, id, label, ways) {
    Object.assign(this, ways);
    this.conversation = new Conversation(label, {
      draw: (message) => this.draw(message),
      open: (message) => this.openThread(message),
      arrived: (message) => this.tell(message),
      inThread: ways.inThread,
    });
    this.composer = new Composer(id, {
      offers: (before, place) => offers(before, { ...this, place, channels: this.channels() }),
      hint: (text, place) => hint(text, place, this.workspace),
      refusal: (written, place) => refusal(written, place, this.workspace),
      upload: (file) => upload(this.place.user, file),
      send: (...written) => this.send(...written),
      shortcuts: ways.shortcuts,
    });
    this.parts = [this.conversation.scroll.node, this.composer.node];
    host.append(...this.parts);
  }

  hide(hidden) {
    for (const part of this.parts) part.hidden = hidden;
  }

  /** Show what was seen at `place`; `closed` says why nothing can be written there, if so. */
  show(place, seen, label, closed) {
    this.place = place;
    const key = conversationOf(place);
    this.composer.at(key, place, label, closed);
    this.conversation.show(key, seen.messages, seen.older);
  }

  author(message) {
    const name = this.workspace.person(message.user)?.name;
    return name ?? message.username ?? message.bot_profile?.name ?? "Unknown";
  }

  tell(message) {
    if (message.user === this.place.user) return;
    heard(`${this.author(message)}: ${plainText(message, this.base())}`);
  }

  draw(message) {
    const { place, inThread } = this;
    return drawMessage(message, {
      place, inThread,
      context: this.contextOf(message),
      author: (item) => this.author(item),
      menu: (item, button) => this.openMenu(item, button),
    });
  }

  contextOf(message) {
    const { user, channel } = this.place;
    const owner = JSON.stringify([user, channel, message.ts]);
    return {
      ...this.base(),
      owner,
      errors: {},
      entered: (block, element) => entered(owner, block, element),
      fill: (block, element, value) => fill(owner, block, element, value),
      press: (block, element, value) => {
        if (keeps(element)) fill(owner, block, element, value);
        return this.press(message.ts, block, element, pressable(element, value));
      },
    };
  }

  async press(ts, block, element, value) {
    const { user, channel } = this.place;
    const pressed = { action_id: element.action_id, block_id: block.block_id, value };
    const error = await act("press", { user, channel, ts, ...pressed });
    if (error) this.conversation.sayNear(ts, failure(labelOf(element), error));
  }

  async send(place, text, files) {
    const key = conversationOf(place);
    const say = (words, options) => this.conversation.say(words, { key, ...options });
    this.conversation.scroll.toEnd();
    return send(place, text, files, say);
  }

  openThread(message) {
    if (!message || message.is_ephemeral || this.inThread) return;
    go({ ...this.place, thread: message.thread_ts ?? message.ts, home: false });
  }

  openMenu(message, button) {
    const copies = [
      { text: "Copy link", pick: () => copy(this.linkTo(message)) },
      { text: "Copy message ID", pick: () => copy(message.ts) },
    ];
    const reply = { text: "Reply in thread", pick: () => this.openThread(message) };
    const first = this.inThread || message.is_ephemeral ? [] : [reply];
    openMenu(button, "Message", [...first, ...copies, ...this.shortcutsFor(message)]);
  }

  linkTo(message) {
    const thread = message.thread_ts ?? message.ts;
    return new URL(address({ ...this.place, thread, home: false }), location.href).href;
  }

  shortcutsFor(message) {
    const rows = this.workspace.shortcuts("message").map((shortcut) => ({
      text: shortcut.name,
      quiet: shortcut.description,
      pick: () => this.use(shortcut, message),
    }));
    return rows.length ? [{ heading: this.workspace.appName }, ...rows] : [];
  }

  async use({ callback_id: id, name }, { ts }) {
    const { user, channel } = this.place;
    toast(`${name} …`);
    const error = await act("shortcut", { user, callback_id: id, channel, ts });
    toast("");
    if (error) this.conversation.sayNear(ts, failure(name, error));
  }
}

async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    toast("Copied.");
  } catch {
    toast(words); // a page that is not served from this machine may not write to the clipboard
  }
}
