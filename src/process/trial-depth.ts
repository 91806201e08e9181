/** How deep trials of hooks stand in each other. Proved by the test "E6 … nine deep" in test/fault/hooks.test.ts. */
import { GatepostError } from "../core/errors.ts";

const DEEPEST = 8;

/** What tells a hook that somebody tries, and what it starts, how many of these trials are around it. A hook that tries
 *  itself would go on until the machine is full: GP_USAGE for the ninth. (Backoffices cannot nest like that: each needs
 *  its home's lease.) */
export function oneTrialDeeper(source: NodeJS.ProcessEnv): Record<string, string> {
  const depth = Number(/^\d{1,4}$/.exec(source["GATEPOST_DEPTH"] ?? "")?.[0] ?? 0);
  if (depth < DEEPEST) return { GATEPOST_DEPTH: String(depth + 1) };
  throw new GatepostError("GP_USAGE", `This trial of a hook stands in ${depth} others. Nothing was run.`, {
    hint: "A hook that calls gatepost hook test calls itself, it seems.",
  });
}
