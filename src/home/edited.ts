/** Shims that somebody edited and that a use case had to replace: where they were kept. */
export { takeEdited } from "../shim/edited.ts";

/** What is to be said of one of them. */
export const keptSentence = (path: string): string =>
  `a shim of ours was edited by hand; it no longer runs, and is kept as ${path}`;
