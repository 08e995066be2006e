// The actions of a person: each is sent to the server, which answers with an error or nothing.

import { post } from "../shared/dom.js";
import { failure } from "./notices.js";

/** Call the action `name` of the server; "" on success, else Slack's error code or a message. */
export async function act(name, fields) {
  try {
    return (await post(`/_sandbox/${name}`, fields)).error ?? "";
  } catch (error) {
    return error.message;
  }
}

/** What a pressed element is called in a notice. */
export function labelOf(element) {
  const words = element.text?.text ?? element.placeholder?.text;
  return words ? `“${words}”` : "Your choice";
}

/** Why a line is not sent as it stands; "" when it may be. */
export function refusal({ text, files }, { thread }, workspace) {
  if (!text.startsWith("/")) return "";
  const [word] = text.split(/\s/, 1);
  // An app that told no manifest has commands that only it knows.
  if (workspace.app.commands.length && !workspace.command(text)) {
    return `${word} is no command of this workspace, so nothing was sent. ` +
      "To send it as a message, put a space before the slash.";
  }
  if (files.length) return "A command can’t carry files: remove them, or send them as a message.";
  if (!thread) return "";
  const { handle } = workspace.person(workspace.app.user);
  const instead = `@${handle} ${text.slice(1).trim()}`;
  return `Slash commands don’t work in threads; mention the app instead: ${instead}`;
}

/** How a command that is being written goes on. */
export function hint(text, { thread } = {}, workspace) {
  const command = thread || !/\s/.test(text) ? null : workspace.command(text);
  return command?.usage_hint ? `${command.command} ${command.usage_hint}` : "";
}

/**
 * Send what was written; whether that worked. `say(words, {pending})` adds a line to the
 * conversation and returns a function that takes it away.
 */
export async function send(place, text, files, say) {
  return text.startsWith("/") ? command(place, text, say) : message(place, text, files, say);
}

async function command({ user, channel }, text, say) {
  const [word] = text.split(/\s/, 1);
  const done = say(`Running ${text} …`, { pending: true });
  const error = await act("command", { user, channel, text: text.trim() });
  done();
  if (error) say(failure(word, error));
  return !error;
}

async function message({ user, channel, thread }, text, files, say) {
  const fields = { user, channel, text: text.trim(), files: files.map((file) => file.id) };
  const error = await act("say", thread ? { ...fields, thread_ts: thread } : fields);
  if (error) say(failure("Sending", error));
  return !error;
}
