// Messages of the page itself: failures in words, toasts, and lines for screen readers.

import { h, own } from "../shared/dom.js";

// https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
const FAILURES = {
  operation_timeout: "the app did not answer within 3 seconds",
  dispatch_failed: "the app could not be reached, or answered with an error",
  invalid_command_response: "the app answered with something that cannot be shown",
  invalid_view_errors: "the app named mistakes in fields that this form does not have",
  invalid_response_action: "the app answered with something that no form can do",
};
const MISTAKES = {
  missing_input: "Please fill this in.",
  too_short: "This is too short.",
  too_long: "This is too long.",
  too_few: "Please choose more.",
  too_many: "Please choose fewer.",
  not_a_number: "Please give a number.",
  out_of_range: "This number is out of range.",
  not_an_email: "Please give an email address.",
  file_too_large: "A file given in a form may have 10 MB at most.",
  file_type_not_allowed: "Files of this kind are not taken here.",
  too_many_files: "Please choose fewer files.",
  not_a_url: "Please give a web address, beginning with https://.",
};
const SECONDS_SHOWN = 4;

let fading = 0;

/** "/task failed: the app did not answer within 3 seconds (operation_timeout)" */
export function failure(what, error) {
  const words = own(FAILURES, error);
  return `${what} failed: ${words ? `${words} (${error})` : error}`;
}

/** Whether this is a mistake in a field, which is told at the field. */
export const isMistake = (error) => Object.hasOwn(MISTAKES, error);

/** A field's error for a person: our words for Slack's codes, an app's words as they are. */
export const mistake = (error) => own(MISTAKES, error) ?? error;

/** Say something short at the edge of the page, for a moment; "" takes it away. */
export function toast(words) {
  const node = document.getElementById("toast");
  clearTimeout(fading);
  node.textContent = words;
  fading = setTimeout(() => (node.textContent = ""), SECONDS_SHOWN * 1000);
}

/** Say something to those who listen to the page. */
export function heard(words) {
  const line = h("p", {}, words);
  document.getElementById("heard").append(line);
  setTimeout(() => line.remove(), SECONDS_SHOWN * 1000);
}

/** A line that only this person sees, with a way to be rid of it. */
export function aside(words, { pending = false, dismiss }) {
  const tag = pending ? "Under way" : "Only visible to you";
  const away = h("button", {
    class: "bare small", type: "button", "aria-label": "Dismiss", on: { click: dismiss },
  }, "✕");
  return [
    h("span", { class: "tag" }, tag),
    h("span", { class: "words" }, words),
    pending ? null : away,
  ];
}
