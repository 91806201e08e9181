/**
 * What every torture has in common: a seed, which makes its choices repeatable, how much of it is done, and a line of
 * figures at its end. In the test suite each does what its file says; `npm run torture:NAME -- --count N --seed S` does
 * more of it, or repeats one that failed. Choices come from the seed; what processes make of them, and when, does not.
 */
import { type Random, randomFrom } from "../../helpers/random.ts";

export type Torture = {
  /** Repeats the same choices. */
  readonly seed: number;
  /** How much is to be done, in the torture's own unit. */
  readonly count: number;
  readonly random: Random;
};

/** The torture as it was asked for; `count` is how much of it the test suite does. */
export function torture(count: number): Torture {
  const seed = Number(process.env["TORTURE_SEED"] ?? Math.floor(Math.random() * 1e9));
  return { seed, count: Number(process.env["TORTURE_COUNT"] ?? count), random: randomFrom(seed) };
}

/** Says what came of it, in a line for people: `kill: 300 kills, 0 lost (seed 7)`. */
export function report(name: string, figures: Readonly<Record<string, number | string>>, { seed }: Torture): void {
  const said = Object.entries(figures).map(([what, value]) =>
    typeof value === "number" ? `${value.toLocaleString("en")} ${what}` : `${what} ${value}`,
  );
  console.log(`torture ${name}: ${said.join(", ")} (seed ${seed})`);
}
