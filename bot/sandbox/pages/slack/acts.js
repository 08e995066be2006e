// Doing things as a person: each act is told to the server, and how it went comes back in a word.

import { post } from "./dom.js";

/** Do `name` as the server knows it. "" when it went well, else Slack's code or some words. */
export async function act(name, fields) {
  try {
    return (await post(`/_sandbox/${name}`, fields)).error ?? "";
  } catch (error) {
    return error.message;
  }
}

/** What a pressed element is called in a notice. */
export function nameOf(element) {
  const words = element.text?.text ?? element.placeholder?.text;
  return words ? `“${words}”` : "Your choice";
}
