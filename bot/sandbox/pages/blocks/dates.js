// Dates in the reader's language and zone.
// https://docs.slack.dev/messaging/formatting-message-text#date-formatting
// https://docs.slack.dev/reference/block-kit/block-elements/date-element

import { h, link } from "../shared/dom.js";

const formats = new Map();

function inWords(when, options) {
  const key = JSON.stringify(options);
  // Making a formatter costs far more than using it.
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(undefined, options));
  return formats.get(key).format(when);
}

const SHORT = { dateStyle: "medium" };
const MIDDLE = { dateStyle: "long" };
const LONG = { dateStyle: "full" };
const DATES = new Map(
  Object.entries({
    date_num: isoDay,
    date_slash: (when) => inWords(when, { year: "numeric", month: "2-digit", day: "2-digit" }),
    date: (when) => inWords(when, MIDDLE),
    date_short: (when) => inWords(when, SHORT),
    date_long: (when) => inWords(when, LONG),
    date_long_full: (when) => inWords(when, MIDDLE),
    date_pretty: (when) => near(when) ?? inWords(when, MIDDLE),
    date_short_pretty: (when) => near(when) ?? inWords(when, SHORT),
    date_long_pretty: (when) => near(when) ?? inWords(when, LONG),
    day_divider_pretty: (when) => near(when) ?? inWords(when, LONG),
    time: (when) => inWords(when, { timeStyle: "short" }),
    time_secs: (when) => inWords(when, { timeStyle: "medium" }),
    ago,
  }),
);

/** A date in the reader's language and zone; `timestamp` is in seconds since 1970. */
export function drawDate({ timestamp, format, url, fallback }) {
  const when = new Date(timestamp * 1000);
  if (Number.isNaN(when.getTime())) return fallback || format;
  const filled = (token, name) => DATES.get(name)?.(when) ?? token;
  const text = format.replace(/\{(\w{1,30})\}/g, filled);
  const title = inWords(when, { dateStyle: "full", timeStyle: "long" });
  return h("time", { datetime: when.toISOString(), title }, url ? link(url, text) : text);
}

/** The day as people here count it, YYYY-MM-DD. */
export function isoDay(when) {
  const [month, day] = [when.getMonth() + 1, when.getDate()].map(twoDigits);
  return `${String(when.getFullYear()).padStart(4, "0")}-${month}-${day}`;
}

/** A number as two digits: 7 is "07". */
export function twoDigits(number) {
  return String(number).padStart(2, "0");
}

/** "yesterday", "today" or "tomorrow"; undefined for any other day. */
function near(when) {
  const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(when) - midnight(Date.now())) / 86_400_000);
  return Math.abs(days) <= 1 ? relative.format(days, "day") : undefined;
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

function ago(when) {
  const seconds = Math.round((when - Date.now()) / 1000);
  const [unit, length] = UNITS.find((each) => Math.abs(seconds) >= each[1]) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / length), unit);
}
