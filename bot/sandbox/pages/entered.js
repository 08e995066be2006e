// What a person typed or picked and the page must not lose when it draws again.

const typed = new Map();

const key = (block, element) => `${block.block_id} ${element.action_id}`;

/** Keep a value of `owner`: a view's id, or a message's place. */
export function fill(owner, block, element, value) {
  if (!typed.has(owner)) typed.set(owner, new Map());
  typed.get(owner).set(key(block, element), { block, element, value });
}

/** The value last kept; undefined when nobody touched it. */
export function entered(owner, block, element) {
  return typed.get(owner)?.get(key(block, element))?.value;
}

/** Whether an element keeps what was picked in it. */
export const keeps = (element) => !["button", "overflow"].includes(element.type);

/** Let go of what was typed in a view that is closed. */
export function forget(owner) {
  typed.delete(owner);
}

/** The value an element of a view has: typed here, else what the server knows of it. */
export function inView(view, block, element) {
  const mine = entered(view.id, block, element);
  if (mine !== undefined) return mine;
  return bare(view.state?.values?.[block.block_id]?.[element.action_id]);
}

/** What is typed in the inputs a view has now, by block id, as a submission takes it. */
export function submission(view) {
  const inputs = view.blocks.filter((block) => block.type === "input");
  const pairs = inputs.map((block) => [block.block_id, entered(view.id, block, block.element)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

/** What is typed in inputs that the app only hears of with something else: [action id, value]. */
export function unheard(view) {
  return view.blocks
    .filter((block) => block.type === "input" && !block.dispatch_action && isAlone(view, block))
    .map((block) => [block.element.action_id, entered(view.id, block, block.element)])
    .filter(([, value]) => value !== undefined);
}

/** An action id says which element is meant only where no other has it. */
function isAlone({ blocks }, { element }) {
  const same = blocks.filter((block) => block.element?.action_id === element.action_id);
  return same.length === 1;
}

/** The bare value inside one element's state, as Slack reports it. */
function bare(state) {
  const found = Object.entries(state ?? {}).find(([name]) => name !== "type");
  const value = found?.[1] ?? undefined;
  return Array.isArray(value) ? value.map(one) : one(value);
}

const one = (value) => value?.value ?? value?.id ?? value;
