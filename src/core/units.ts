/** Branded numbers, so that a duration is never handed where an instant is meant, nor a receipt where a batch is. */
declare const unit: unique symbol;

/** An instant: integer milliseconds since 1970, UTC, by the wall clock. */
export type Instant = number & { readonly [unit]: "instant" };

/** A length of time in integer milliseconds. */
export type Millis = number & { readonly [unit]: "millis" };

export type RepositoryId = number & { readonly [unit]: "repository" };
export type HookId = number & { readonly [unit]: "hook" };
/** Number of a receipt: only grows within a home, never reused. 0 stands for "before the first". */
export type ReceiptId = number & { readonly [unit]: "receipt" };
export type BatchId = number & { readonly [unit]: "batch" };
export type GateId = number & { readonly [unit]: "gate" };
export type EventId = number & { readonly [unit]: "event" };
export type RunId = number & { readonly [unit]: "run" };

export const SECOND = 1000 as Millis;
export const MINUTE = 60_000 as Millis;
export const HOUR = 3_600_000 as Millis;
export const DAY = 86_400_000 as Millis;

export const after = (instant: Instant, length: Millis): Instant => (instant + length) as Instant;
export const between = (from: Instant, to: Instant): Millis => (to - from) as Millis;

const factor: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads "90", "90s", "10m", "24h", "30d", "250ms" (a bare number means seconds); null where it is none of these. */
export function parseDuration(text: string): Millis | null {
  const match = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(text);
  if (match === null) return null;
  const length = Number(match[1]) * (factor[match[2] ?? "s"] as number);
  return Number.isSafeInteger(length) ? (length as Millis) : null;
}

/** A duration in the largest unit that leaves at most one decimal: "210 ms", "30 s", "4.5 m", "3 h". */
export function formatDuration(length: number): string {
  if (length < 1000) return `${Math.round(length)} ms`;
  for (const [name, size] of [
    ["s", 1000],
    ["m", 60_000],
    ["h", 3_600_000],
  ] as const) {
    const next = name === "s" ? 60_000 : name === "m" ? 3_600_000 : 86_400_000;
    if (length < next) return `${Math.round((length / size) * 10) / 10} ${name}`;
  }
  return `${Math.round((length / 86_400_000) * 10) / 10} d`;
}
