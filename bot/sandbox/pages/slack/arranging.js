// What an administrator can do to a channel, in the menu beside its title.

import { act } from "./acts.js";
import { openMenu } from "./menu.js";
import { failure, toast } from "./notices.js";

/** Open the menu of a channel's arrangements at `button`. */
export function openArrangements(button, channel, appName) {
  const { id, is_archived: archived, has_app: within } = channel;
  const item = (text, name) => ({ text, pick: () => arrange(text, name, id) });
  openMenu(button, "Channel", [
    archived ? item("Unarchive the channel", "unarchive") : item("Archive the channel", "archive"),
    within ? item(`Remove ${appName}`, "remove_bot") : item(`Add ${appName}`, "add_bot"),
  ]);
}

async function arrange(text, name, channel) {
  const error = await act(name, { channel });
  toast(error ? failure(text, error) : "");
}
