/** Reads and writes single words of the command line: durations, instants, run ids, shell quoting. */
import { GatepostError } from "../core/errors.ts";
import { formatDuration, type Instant, type Millis, parseDuration, type RunId } from "../core/units.ts";

/** "1 hook", "2 hooks". */
export const counted = (count: number, noun: string): string =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** "90", "10m", "24h" as a length of time; a bare number means seconds. */
export function requireDuration(text: string, option: string): Millis {
  const length = parseDuration(text);
  if (length !== null && length > 0) return length;
  throw new GatepostError("GP_USAGE", `${option} takes a length of time, not "${text}".`, {
    hint: "Such as 90 (seconds), 90s, 10m or 24h.",
  });
}

/** A whole number of at least `least`. */
export function requireCount(text: string, option: string, least = 0): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw new GatepostError("GP_USAGE", `${option} takes a whole number of at least ${least}, not "${text}".`, {
    hint: `Such as ${option} ${Math.max(least, 3)}`,
  });
}

/** "2h" (ago) or a date such as 2026-11-21T08:00 (local time). */
export function requireInstant(text: string, option: string, now: number): Instant {
  const ago = parseDuration(text);
  if (ago !== null) return (now - ago) as Instant;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at as Instant;
  throw new GatepostError("GP_USAGE", `${option} takes how long ago or a date, not "${text}".`, {
    hint: "Such as 2h, 3d or 2026-11-21T08:00.",
  });
}

/** A run's id as it is shown, "a-41", or its number alone. */
export function requireRunId(text: string): RunId {
  const match = /^(?:[a-z]+-)?(\d{1,15})$/.exec(text);
  if (match !== null) return Number(match[1]) as RunId;
  throw new GatepostError("GP_NO_RUN", `"${text}" is not the id of a run.`, { hint: "The latest runs: gatepost runs" });
}

/** "12 s ago", and the date for what is more than two days old. */
export function ago(at: number, now: number): string {
  const length = Math.max(0, now - at);
  if (length < 1000) return "now";
  if (length > 172_800_000) return new Date(at).toISOString().slice(0, 16).replace("T", " ");
  return `${formatDuration(length).replace(/\.\d/, "")} ago`;
}
