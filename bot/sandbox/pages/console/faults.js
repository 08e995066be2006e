// Trouble on request: which faults are on, and a form to switch on another.

import { answered, h, keyed, post, reached } from "../shared/dom.js";
import { sender } from "./forms.js";
import { unlessSame } from "./parts.js";
import { trouble } from "./words.js";

const PATH = "/_sandbox/faults";
const STATUSES = [429, 500, 502, 503].map((status) => [status, String(status)]);

/** Each kind of fault: its name, the fields it needs besides, and the fault they make. */
const KINDS = {
  status: {
    label: "Answer with a status",
    needs: ["status", "retry_after", "effect"],
    fault: ({ status, retry_after: wait, effect }) => ({
      status: Number(status),
      retry_after: wait === "" ? null : Number(wait),
      applied: effect === "after",
    }),
  },
  delay: {
    label: "Answer late",
    needs: ["seconds"],
    fault: ({ seconds }) => ({ delay: Number(seconds) }),
  },
  hang_up: {
    label: "Hang up",
    needs: ["effect"],
    fault: ({ effect }) => ({ hang_up: true, applied: effect === "after" }),
  },
  html: {
    label: "Answer with a page of HTML",
    needs: ["status", "effect"],
    fault: ({ status, effect }) => ({
      html: true,
      status: Number(status),
      applied: effect === "after",
    }),
  },
  drip: {
    label: "Answer slowly, byte by byte",
    needs: ["seconds"],
    fault: ({ seconds }) => ({ drip: Number(seconds) }),
  },
};
const EFFECTS = [["before", "Lost: it has no effect"], ["after", "Takes effect all the same"]];

/** The pane of faults. */
export class Faults {
  constructor() {
    this.none = h("p", { class: "quiet" }, "No fault is on: every request is answered as usual.");
    this.rows = h("ul", { class: "items", "aria-labelledby": "faults-on" });
    this.refused = h("p", { class: "refused", role: "alert" });
    this.all = h("button", { class: "danger", on: { click: () => this.switchOff("") } },
      "Switch all off");
    this.fresh = h("section", { class: "part", "aria-labelledby": "fault-new" },
      h("h2", { id: "fault-new" }, "Switch on a fault"));
    this.node = h("section", { class: "single", "aria-label": "Faults" },
      h("section", { class: "part" },
        h("h2", { id: "faults-on" }, "Switched on"), this.none, this.rows, this.refused,
        h("p", { class: "acts" }, this.all)),
      this.fresh);
  }

  draw({ state }) {
    this.none.hidden = state.faults.length > 0;
    this.all.hidden = state.faults.length === 0;
    const draw = unlessSame((fault) => this.drawRow(fault));
    keyed(this.rows, state.faults, (fault) => fault.number, draw);
    if (!this.form) this.fresh.append((this.form = faultForm(state.endpoints)));
  }

  drawRow(fault) {
    const text = `${name(fault.on)} ${trouble(fault)}, ${until(fault)}.`;
    const off = () => this.switchOff(`/${fault.number}`);
    const button = h("button", { on: { click: off }, "aria-label": `Switch off: ${text}` });
    button.append("Switch off");
    return h("li", { class: "fault" }, h("p", {}, text), button);
  }

  async switchOff(which) {
    this.refused.textContent = "";
    try {
      await answered(await reached(PATH + which, { method: "DELETE" }));
    } catch (error) {
      this.refused.textContent = error.message;
    }
  }
}

function name(endpoint) {
  return endpoint === "*" ? "Every endpoint" : endpoint;
}

function until({ times }) {
  if (times === undefined) return "until it is switched off";
  return times === 1 ? "for the next request" : `for the next ${times} requests`;
}

function faultForm(endpoints) {
  const form = sender({ fields: fields(endpoints), verb: "Switch on", send, done: () => {} });
  const fit = () => {
    const { needs } = KINDS[form.elements.kind.value];
    for (const name of ["status", "retry_after", "effect", "seconds"]) {
      form.elements[name].disabled = !needs.includes(name);
      form.elements[name].closest(".field").hidden = !needs.includes(name);
    }
  };
  form.elements.kind.addEventListener("change", fit);
  fit();
  return form;
}

function fields(endpoints) {
  const choices = ["*", ...endpoints].map((one) => [one, name(one)]);
  const kinds = Object.entries(KINDS).map(([kind, { label }]) => [kind, label]);
  const number = { kind: "number", min: 0 };
  return [
    { name: "on", label: "Endpoint", kind: "select", options: choices },
    { name: "kind", label: "What it does", kind: "select", options: kinds },
    { name: "status", label: "Status", kind: "select", options: STATUSES },
    { name: "retry_after", label: "Retry-After, in seconds", ...number, hint: "Empty for none." },
    { name: "seconds", label: "Seconds", ...number, step: "any", value: 2, required: true },
    { name: "effect", label: "The request", kind: "select", options: EFFECTS },
    {
      name: "times",
      label: "How many requests meet it",
      ...number,
      min: 1,
      hint: "Empty for all until it is switched off.",
    },
  ];
}

function send({ on, kind, times, ...rest }) {
  return post(PATH, {
    on,
    times: times === "" ? null : Number(times),
    ...KINDS[kind].fault(rest),
  });
}
