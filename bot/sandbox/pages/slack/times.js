// Slack's timestamps in a person's words.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

const date = (ts) => new Date(Number(ts) * 1000);

/** "14:03" */
export const clock = (ts) => CLOCK.format(date(ts));

/** The whole date, for a title. */
export const full = (ts) => FULL.format(date(ts));

/** For <time datetime>. */
export const machine = (ts) => date(ts).toISOString();

/** The same for two moments of one day, as this machine's clock has days. */
export const dayOf = (ts) => date(ts).toDateString();

/** "Today", "Yesterday", "Monday, 3 November" */
export function dayName(ts) {
  const days = Math.round((midnight(new Date()) - midnight(date(ts))) / 86_400_000);
  return ["Today", "Yesterday"][days] ?? DAY.format(date(ts));
}

/** "2 min ago" */
export function ago(ts) {
  const seconds = Date.now() / 1000 - Number(ts);
  const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? [];
  return unit ? RELATIVE.format(-Math.floor(seconds / size), unit) : "just now";
}

function midnight(day) {
  return new Date(day).setHours(0, 0, 0, 0);
}
