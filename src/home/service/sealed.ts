/**
 * Texts of ours in places that people edit: a unit, lines of a crontab. The first line says whose it is and holds a sum
 * of what follows, so that what we wrote, in whatever version, is told from what somebody changed since. What was
 * changed is never written over and never deleted.
 */
import { GatepostError } from "../../core/errors.ts";
import { textSum } from "../../shim/text-sum.ts";

/** What is found in the place: nothing, ours as it was written, ours but changed since, or somebody else's. */
export type Found = "absent" | "ours" | "edited" | "foreign";

const FIRST = /^# gatepost service ([0-9a-f]{16}) .*\n/;

/** The text below the line that seals it. */
export const seal = (text: string): string =>
  `# gatepost service ${textSum(text)} (gatepost service uninstall takes this out)\n${text}`;

/** Whose the text is that stands in a place. */
export function judge(text: string): Exclude<Found, "absent"> {
  const match = FIRST.exec(text);
  if (match === null) return "foreign";
  return textSum(text.slice(match[0].length)) === match[1] ? "ours" : "edited";
}

/** No line format holds a control character in a path. Throws GP_USAGE. */
export function requirePlain(path: string): string {
  if (!/[\x00-\x1f\x7f]/.test(path)) return path;
  throw new GatepostError("GP_USAGE", `The path ${JSON.stringify(path)} cannot be named in a unit or a crontab.`, {
    hint: "Rename it, or leave it out: without names, every registered home is served.",
  });
}
