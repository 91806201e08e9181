/** A pause of a repository or a hook: who asked for it, when and why, as the database keeps it. */
import type { Instant } from "./units.ts";

export type Pause = { at: Instant; by: string; why: string | null };

/** Reads what the database keeps; null where nothing is paused. */
export const readPause = (text: string | null): Pause | null => (text === null ? null : (JSON.parse(text) as Pause));

/** As the database keeps it. */
export const pauseText = ({ at, by, why }: Pause): string => JSON.stringify({ at, by, why });

/** "by alice 2 h ago: migration", where `ago` puts a time in words. What it says may hold anything. */
export const pauseInWords = ({ at, by, why }: Pause, ago: (at: number) => string): string =>
  `by ${by} ${ago(at)}${why === null ? "" : `: ${why}`}`;
