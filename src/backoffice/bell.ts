/** A bell that many may ring and one loop waits for: rings while nobody waits are not lost, and many count as one. */
export class Bell {
  #rung = false;
  #wake: (() => void) | null = null;
  #leftAt: number | null = performance.now();

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Settles when the bell was rung since the last wait, at the latest after `timeout` ms (null: no limit), or when
   *  the signal aborts. True when it was rung. */
  async wait(timeout: number | null, signal: AbortSignal): Promise<boolean> {
    this.#leftAt = null;
    if (!this.#rung && !signal.aborted) await this.#silence(timeout, signal);
    this.#leftAt = performance.now();
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }

  /** For how many ms nobody has been waiting for it; 0 while somebody waits. */
  unattended(): number {
    return this.#leftAt === null ? 0 : performance.now() - this.#leftAt;
  }

  #silence(timeout: number | null, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        this.#wake = null;
        resolve();
      };
      // setTimeout takes 2^31 - 1 at most; a longer wait just looks once in between.
      const timer = timeout === null ? undefined : setTimeout(wake, Math.min(Math.max(timeout, 0), 2_000_000_000));
      signal.addEventListener("abort", wake);
      this.#wake = wake;
    });
  }
}
