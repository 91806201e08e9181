/**
 * Ref patterns, as `git for-each-ref` reads them: the whole name, its beginning up to a slash, or a glob in which `*`,
 * `?` and `[...]` stop at slashes and `**` between slashes does not (core/glob.ts). Proven by
 * test/core/ref-pattern.test.ts.
 */
import { type ByteString, fromText } from "./bytes.ts";
import { globMatches, globOf } from "./glob.ts";

/** Says whether a ref matches: with the pattern as it stands or, where it does not begin with "refs/", below refs/heads/
 *  or refs/tags/. Letter case counts. An empty pattern matches nothing, a malformed one only its own text. */
export function matchRef(pattern: string, ref: ByteString): boolean {
  return refMatcher(pattern)(ref);
}

/** The same for many refs: the pattern is read once. */
export function refMatcher(pattern: string): (ref: ByteString) => boolean {
  const bytes = fromText(pattern);
  if (bytes === "") return () => false;
  const written = bytes.startsWith("refs/") ? [bytes] : [bytes, `refs/heads/${bytes}`, `refs/tags/${bytes}`];
  const forms = written.map((form) => ({ form, glob: globOf(form) }));
  return (ref) => forms.some(({ form, glob }) => isBeginning(form, ref) || (glob !== null && globMatches(glob, ref)));
}

function isBeginning(form: string, ref: string): boolean {
  return ref.startsWith(form) && (form.endsWith("/") || ref.length === form.length || ref[form.length] === "/");
}
