// What a person has begun to write, by conversation: text outlives a reload, files do not.

const files = new Map();

/** The unsent text of a conversation. */
export const draftOf = (key) => sessionStorage.getItem(`draft ${key}`) ?? "";

/** Keep the unsent text of a conversation. */
export function keepDraft(key, text) {
  if (text) sessionStorage.setItem(`draft ${key}`, text);
  else sessionStorage.removeItem(`draft ${key}`);
}

/** The files that go with a conversation's next message: a list that is kept. */
export function filesOf(key) {
  if (!files.has(key)) files.set(key, []);
  return files.get(key);
}
