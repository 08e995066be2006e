// SecMaster's codes, times and JSON, as the console says them.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SOON = 3 * HOUR;

/** A state's word, and the tone it is shown in. */
export const STATES = {
  waiting: ["Waiting", "warn"],
  finished: ["Finished", "good"],
  canceled: ["Canceled", "quiet"],
  FAILED: ["Failed", "bad"],
  RUNNING: ["Running", "accent"],
  RETRYING: ["Retrying", "warn"],
  TERMINATING: ["Terminating", "warn"],
  FINISHED: ["Finished", "good"],
  TERMINATED: ["Terminated", "quiet"],
};

export const BUSINESS = {
  WORKFLOWNODEAPPROVE: "Workflow node approval",
  PLAYBOOKNODEAPPROVE: "Playbook node approval",
  WORKFLOWPUBLISH: "Workflow publication",
  PLAYBOOKPUBLISH: "Playbook publication",
};

export const AT_DUE = {
  "": "Nothing is set",
  CONTINUE: "It continues by itself",
  INTERRUPT: "It is interrupted",
};

/** Milliseconds of SecMaster's `2025-08-19T14:53:42.424Z+0800` or of plain ISO; else NaN. */
export function moment(stamp) {
  return Date.parse((stamp || "").replace(/Z([+-]\d\d)(\d\d)$/, "$1:$2"));
}

/** A length of time in its largest unit, on one line: `50 min`. */
export function span(milliseconds) {
  const size = Math.abs(milliseconds);
  if (size < MINUTE) return `${Math.round(size / 1000)}\u00a0s`;
  if (size < 2 * HOUR) return `${Math.round(size / MINUTE)}\u00a0min`;
  if (size < 2 * DAY) return `${Math.round(size / HOUR)}\u00a0h`;
  return `${Math.round(size / DAY)}\u00a0d`;
}

const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });

/** A time of day, with its date unless it is `now`'s; "" for no time. */
export function clock(at, now) {
  if (Number.isNaN(at)) return "";
  const today = new Date(at).toDateString() === new Date(now).toDateString();
  return today ? time.format(at) : `${date.format(at)}, ${time.format(at)}`;
}

/** How a waiting task stands to its due date: what to say, and in which tone. */
export function due(task, now) {
  const remaining = moment(task.due_date) - now;
  if (task.status !== "waiting" || Number.isNaN(remaining)) return null;
  if (remaining < 0) return { tone: "bad", text: `Overdue by ${span(remaining)}`, urgency: 2 };
  if (remaining < SOON) return { tone: "warn", text: `Due in ${span(remaining)}`, urgency: 1 };
  return { tone: "quiet", text: `Due in ${span(remaining)}`, urgency: 0 };
}

/** JSON in a string or a value, indented; text that is no JSON as it is. */
export function pretty(value) {
  try {
    return JSON.stringify(typeof value === "string" ? JSON.parse(value) : value, null, 2);
  } catch {
    return value;
  }
}

export function bytes(count) {
  return count < 1000 ? `${count} bytes` : `${(count / 1000).toFixed(1)} kB`;
}

/** Who did it, and by which way in. */
export function author({ by, via }) {
  const who = by ? `by ${by}` : "";
  if (via === "console") return `${who} in the console`.trim();
  return via ? `${who} through the API (${via})`.trim() : who;
}

/** What a fault does to the requests that meet it. */
export function trouble(fault) {
  const after = fault.applied ? ", after the request took effect" : "";
  const acts = [
    fault.delay && `answers ${fault.delay} s late`,
    fault.hold && `keeps requests waiting${after}`,
    fault.hang_up && `hangs up ${fault.applied ? "after" : "before"} the request took effect`,
    !fault.hang_up && fault.html && `answers ${fault.status || 502} with a page of HTML${after}`,
    !fault.hang_up && !fault.html && fault.status && refusal(fault) + after,
    fault.cut && "breaks off in the middle of the answer",
    fault.drip && `sends a byte of the answer every ${fault.drip} s`,
  ].filter(Boolean);
  return acts.join(", ") || "changes nothing";
}

function refusal({ status, retry_after: wait }) {
  return `answers ${status}${wait === undefined ? "" : ` with Retry-After: ${wait}`}`;
}
