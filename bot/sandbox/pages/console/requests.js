// What the sandbox was asked by its clients, newest first.

import { get, h, keyed } from "../shared/dom.js";
import { code, facts, mark, shownTime, unlessSame } from "./parts.js";

const STEP = 100;
const LONGEST = 80; // letters of an act that is named in a request's line

/** A list of requests, all of them or those about one object, that is read as it is needed. */
export class Requests {
  /** `target` is an object's id or ""; `changed` asks for another reading; `name` names an id. */
  constructor({ target, title, changed, name }) {
    this.target = target;
    this.limit = STEP;
    this.name = name;
    this.writes = h("input", { type: "checkbox", on: { change: changed } });
    this.none = h("p", { class: "quiet", hidden: true, text: "No request yet." });
    this.rows = h("ol", { class: "items requests" });
    const more = () => {
      this.limit += STEP;
      changed();
    };
    this.more = h("button", { type: "button", hidden: true, on: { click: more } }, "Show older");
    this.content = [
      h("div", { class: "heading" },
        h("h3", {}, title), h("label", { class: "only" }, this.writes, "Writes only")),
      this.none, this.rows, this.more,
    ];
  }

  /** Read the newest from the server and show them. */
  async look() {
    const writes = this.writes.checked ? "&writes=1" : "";
    const target = encodeURIComponent(this.target);
    const path = `/_sandbox/requests?target=${target}&limit=${this.limit}${writes}`;
    const { requests } = await get(path);
    this.none.hidden = requests.length > 0;
    this.more.hidden = requests.length < this.limit;
    const draw = unlessSame((request) => this.drawnOrNot(request));
    keyed(this.rows, requests.reverse(), (request) => request.request_id, draw);
  }

  drawnOrNot(request) {
    try {
      return this.drawRow(request);
    } catch ({ message: title }) {
      return h("li", { class: "quiet", title }, "This request can't be shown here.");
    }
  }

  drawRow(request) {
    const row = h("details", { class: "request" }, h("summary", {}, summary(request)));
    // Thousands of closed rows need not hold what nobody opened.
    row.addEventListener("toggle", () => row.append(this.inside(request)), { once: true });
    return h("li", { class: request.write ? "write" : "read" }, row);
  }

  inside(request) {
    return h("div", { class: "inside" },
      facts([
        ["Path", h("code", {}, request.path)],
        ["About", this.subject(request)],
        ["Signed by", signer(request)],
        ["Answered", answer(request)],
        ["Effect", request.applied ? "It took effect" : "It had no effect"],
        ["Request id", h("code", {}, request.request_id)],
        ["Received", request.at],
      ]),
      Object.keys(request.query).length ? [h("h4", {}, "Query"), code(request.query)] : [],
      request.body === null ? [] : [h("h4", {}, "Body"), code(request.body)]);
  }

  /** A link to the object that a request is about, if it is one that is known. */
  subject({ path }) {
    for (const id of path.split("/")) {
      const object = this.name(id);
      if (object) return h("a", { href: `#${object.noun}/${encodeURIComponent(id)}` }, object.name);
    }
    return null;
  }
}

function summary(request) {
  const refused = request.status === 0 || request.status >= 400;
  return [
    shownTime(request.at),
    h("span", { class: "asked" },
      mark(request.method, request.write ? "accent" : "quiet"),
      h("strong", {}, request.endpoint || "Unknown endpoint"),
      h("span", { class: "act" }, act(request))),
    h("span", { class: "marks" },
      mark(answer(request), refused ? "bad" : "good"),
      request.write && request.applied ? mark("took effect", "good") : "",
      request.write && !request.applied ? mark("no effect", "quiet") : ""),
    h("span", { class: "quiet signer" }, signer(request)),
  ];
}

/** What a write was to do: SecMaster says it in the body. */
function act({ body }) {
  const names = [body?.action, body?.command_type];
  const name = names.find((value) => typeof value === "string") ?? "";
  return name.slice(0, LONGEST);
}

function answer({ status }) {
  return status ? String(status) : "hung up";
}

/** Whose proof let the request in; a fault or a wrong address may keep it from being checked. */
function signer({ signed_by: proof, key, status }) {
  if (proof) return `${proof} ${key}`.trim();
  return status === 401 ? "not let in" : "not checked";
}
