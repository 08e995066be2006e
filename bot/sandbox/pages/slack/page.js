// The page of the local Slack: who looks at what, brought up to date with every change.

import { live } from "../shared/dom.js";
import { act } from "./actions.js";
import { openAdminMenu } from "./admin_menu.js";
import { upload } from "./files.js";
import { openMenu } from "./menu.js";
import { Modals } from "./modals.js";
import {
  Channels, bindKeys, closedWords, isNarrow, showPart, showTabs, showTitles,
} from "./navigation.js";
import { failure, toast } from "./notices.js";
import { Pane } from "./pane.js";
import { address, go, here, stand } from "./address.js";
import { ago } from "./times.js";
import { Home } from "./views.js";
import { WorkspaceState, readWorkspace } from "./workspace.js";

const MINUTE = 60_000;
const NOWHERE = { channel: "", thread: "", home: false };
const node = (id) => document.getElementById(id);

/** One window: one person in one place. */
class Page {
  constructor(workspace) {
    this.workspace = workspace;
    this.state = new WorkspaceState();
    this.waiting = [];
    this.at = {};
    const base = () => this.base();
    const shared = { workspace, base, channels: () => this.state.channels };
    const shortcuts = workspace.shortcuts("global").length > 0;
    this.channels = new Channels(node("workspace"), workspace, {
      become: (user) => go({ ...NOWHERE, user, channel: here().channel }),
      chosen: () => this.leaveChannels(),
    });
    this.pane = new Pane(node("main"), "message", "Messages", {
      ...shared, shortcuts: shortcuts && ((button) => this.openShortcuts(button)),
    });
    this.pane.hide(true); // nothing can be written before it is known where
    this.thread = new Pane(node("thread"), "reply", "Replies", { ...shared, inThread: true });
    this.home = new Home(node("home"), base);
    this.modals = new Modals(node("modal"), base, () => this.seen());
  }

  start() {
    this.see = live(() => this.look(), (up) => (node("connection").hidden = up));
    addEventListener("hashchange", () => this.see());
    node("skip").addEventListener("click", (event) => this.skip(event));
    node("to-channels").addEventListener("click", () => this.toChannels());
    node("leave-thread").addEventListener("click", () => this.leaveThread());
    node("close-thread").addEventListener("click", () => this.leaveThread());
    node("arrange").addEventListener("click", ({ currentTarget }) => this.arrange(currentTarget));
    bindKeys({ write: () => this.write(), leave: () => this.leaveThread() });
    setInterval(tickAgo, MINUTE);
    if (!location.hash) showPart("workspace");
  }

  /** What every block on the page is drawn with. */
  base() {
    const { workspace, state } = this;
    const { user } = here();
    return {
      names: workspace.names,
      me: user,
      people: () => workspace.people.map(({ id, name }) => ({ id, name })),
      channels: () => state.channels.filter(({ kind }) => kind !== "im"),
      upload: (file) => upload(user, file),
    };
  }

  // Looking.

  /** Resolves when the page shows what the server has now. */
  seen() {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.see();
    });
  }

  async look() {
    const waited = this.waiting.splice(0);
    try {
      await this.read();
    } finally {
      for (const resolve of waited) resolve();
    }
  }

  async read() {
    const place = await this.fitting(here());
    try {
      await this.state.read(place);
    } catch (error) {
      if (!place.thread || error.status !== 404) throw error;
      toast("This thread is gone.");
      stand({ ...place, thread: "" });
      return;
    }
    if (address(place) === address(here())) this.show(place);
  }

  /** The place, or one that there is for a person who exists. */
  async fitting(place) {
    const known = this.workspace.person(place.user);
    const { id: user, name } = known ?? this.workspace.people[0];
    if (place.user && !known) toast(`Nobody here has the ID ${place.user}. You act as ${name}.`);
    if (this.user !== user) await this.state.read({ ...NOWHERE, user });
    this.user = user;
    const { channels } = this.state;
    const fits = user === place.user && channels.some(({ id }) => id === place.channel);
    if (fits) return place;
    const same = channels.find(({ id }) => id === place.channel);
    const first = channels.find(({ kind }) => kind !== "im") ?? channels[0];
    const fitted = { ...NOWHERE, user, channel: (same ?? first).id };
    stand(fitted);
    return fitted;
  }

  show(place) {
    const { state, at: before } = this;
    const channel = state.channels.find(({ id }) => id === place.channel);
    this.at = place;
    attempt(
      () => this.channels.show(place, state.channels),
      () => showTitles(this.workspace, place, channel, state.channels),
      () => this.showMain(place, channel),
      () => this.showThread(place, channel),
      () => this.modals.show(place.user, state.views),
      () => this.markRead(place, channel),
      () => this.moved(before, place),
    );
  }

  showMain(place, channel) {
    const { workspace, state } = this;
    const hasHome = workspace.app.home && channel.id === workspace.appChat(place.user);
    showTabs(place, hasHome);
    node("home").hidden = !place.home;
    node("arrange").hidden = channel.kind === "im";
    this.pane.hide(place.home);
    if (place.home) this.home.show(place.user, state.home);
    else {
      const label = `Message ${workspace.nameOf(channel)}`;
      this.pane.show({ ...place, thread: "" }, state.channel, label, closedWords(channel));
    }
  }

  showThread(place, channel) {
    node("thread").hidden = !this.state.thread;
    if (!this.state.thread) return;
    this.thread.show(place, this.state.thread, "Reply", closedWords(channel));
  }

  markRead({ user, home }, channel) {
    const visible = ["main", "thread"].some((id) => node(id).checkVisibility());
    const news = channel.unread || channel.mentioned;
    if (document.visibilityState !== "visible" || !visible || home || !news) return;
    act("mark", { user, channel: channel.id });
  }

  // Moving.

  moved(before, place) {
    if (address(before) === address(place)) return;
    const same = before.user === place.user && before.channel === place.channel;
    if (place.home && !(same && before.home)) this.home.open(place.user);
    if (place.thread) showPart("thread");
    else if (before.thread || before.user) showPart("main");
    if (place.thread && before.user) this.enterThread();
    else if (same && before.thread) this.pane.conversation.focus(before.thread);
  }

  enterThread() {
    if (isNarrow()) node("thread-title").focus();
    else this.thread.composer.focus();
  }

  leaveThread() {
    if (this.at.thread) go({ ...this.at, thread: "" });
  }

  toChannels() {
    showPart("workspace");
    node("workspace").querySelector("[aria-current]")?.focus();
  }

  leaveChannels() {
    showPart("main");
    if (isNarrow()) node("title").focus();
    this.see();
  }

  write() {
    const pane = this.at.thread ? this.thread : this.pane;
    pane.composer.focus();
  }

  arrange(button) {
    const channel = this.state.channels.find(({ id }) => id === this.at.channel);
    openAdminMenu(button, channel, this.workspace.appName);
  }

  skip(event) {
    event.preventDefault();
    this.write();
  }

  // Shortcuts.

  openShortcuts(button) {
    const rows = this.workspace.shortcuts("global").map((shortcut) => ({
      text: shortcut.name, quiet: shortcut.description, pick: () => this.use(shortcut),
    }));
    openMenu(button, "Shortcuts", rows);
  }

  async use({ callback_id: id, name }) {
    const { conversation } = this.pane;
    const { key } = conversation;
    toast(`${name} …`);
    const error = await act("shortcut", { user: this.at.user, callback_id: id });
    toast("");
    if (error) conversation.say(failure(name, error), { key });
  }
}

/** Do all of it: what fails keeps nothing else from being shown. */
function attempt(...acts) {
  for (const act of acts) {
    try {
      act();
    } catch (error) {
      console.error(error);
    }
  }
}

function tickAgo() {
  for (const node of document.querySelectorAll("[data-ago]")) {
    node.textContent = `last reply ${ago(node.dataset.ago)}`;
  }
}

new Page(await readWorkspace()).start();
