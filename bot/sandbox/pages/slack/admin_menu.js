// The administrator's actions on a channel, in the menu beside its title.

import { act } from "./actions.js";
import { openMenu } from "./menu.js";
import { failure, toast } from "./notices.js";

/** Open the administrator's menu of a channel at `button`. */
export function openAdminMenu(button, channel, appName) {
  const { id, is_archived: archived, has_app: within } = channel;
  const item = (text, name) => ({ text, pick: () => administer(text, name, id) });
  openMenu(button, "Channel", [
    archived ? item("Unarchive the channel", "unarchive") : item("Archive the channel", "archive"),
    within ? item(`Remove ${appName}`, "remove_bot") : item(`Add ${appName}`, "add_bot"),
  ]);
}

async function administer(text, name, channel) {
  const error = await act(name, { channel });
  toast(error ? failure(text, error) : "");
}
