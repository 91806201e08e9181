/** How long a failed run waits before its next attempt. */
import { MINUTE, type Millis } from "./units.ts";

/** The longest a run waits between two attempts, before jitter. */
export const RETRY_CEILING = 3_600_000 as Millis;

/** What a run waits first whose list could not be made, which is not its hook's fault and rarely over in seconds. */
export const LIST_RETRY_BASE = MINUTE;

/**
 * Doubles from `base` with each attempt up to an hour, then takes off up to two fifths at random: hooks that failed
 * together because a server was down do not all come back to it in the same second.
 *
 * @param attempt number of the attempt that just failed, from 1
 * @param random uniform in [0, 1)
 */
export function retryDelay(attempt: number, base: Millis, random: number): Millis {
  const full = Math.min(base * 2 ** Math.min(attempt - 1, 30), RETRY_CEILING);
  return Math.round(full * (1 - 0.4 * random)) as Millis;
}
