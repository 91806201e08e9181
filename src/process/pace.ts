/** Waiting that ends: no wait of a hook's process may hang on something that the hook decides. */

// A longer timer fires at once, says setTimeout. 24 days: a limit beyond that is none.
const longest = 2 ** 31 - 1;

/** Calls `then` once, `length` milliseconds from now; returns what takes that back. */
export function startTimer(length: number, then: () => void): () => void {
  const timer = setTimeout(then, Math.min(length, longest));
  return () => clearTimeout(timer);
}

/** Waits for `settled`, but no longer than `length`; true when it settled in that time. */
export async function within(length: number, settled: Promise<unknown>): Promise<boolean> {
  let stop = (): void => {};
  const late = new Promise<false>((resolve) => {
    stop = startTimer(length, () => resolve(false));
  });
  const early = settled.then(() => true as const);
  const result = await Promise.race([early, late]);
  stop();
  return result;
}

/** Settles when the signal aborts; at once where it has. */
export const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** Lets everything else that is ready have its turn. Node goes on with timers as long as one is due; where what they do
 *  takes longer than they wait, it would never learn that a child has ended. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Asks `holds` again and again, at pauses that grow from 2 to 50 ms, until it is true or `length` is over or
 *  `interrupted` says so. Returns the last answer. */
export async function waitUntil(
  holds: () => boolean,
  length: number,
  interrupted: () => boolean = () => false,
): Promise<boolean> {
  const end = performance.now() + length;
  for (let pause = 2; ; pause = Math.min(pause * 2, 50)) {
    if (holds()) return true;
    const rest = end - performance.now();
    if (rest <= 0 || interrupted()) return false;
    await new Promise<void>((resolve) => startTimer(Math.min(pause, rest), resolve));
    await turn();
  }
}
