/** A Fossil repository that both serve: Fossil's own backoffice and Gatepost, so that one can be held against the other. */
import * as fs from "node:fs";
import { until } from "./cli.ts";
import { type FossilWorld, watchFossil } from "./fossil.ts";
import type { Watched } from "./served.ts";

/** A repository with a hook of Fossil's and one of Gatepost's, each of which leaves its list in a file. */
export class Both {
  readonly world: FossilWorld;
  readonly r: Watched;

  constructor(world: FossilWorld, r: Watched) {
    this.world = world;
    this.r = r;
    this.add(`cat > '${this.file("fossil")}.new'; mv '${this.file("fossil")}.new' '${this.file("fossil")}'`);
    r.hook(`cat > '${this.file("gatepost")}'`);
  }

  get path(): string {
    return this.r.path;
  }

  file(name: string): string {
    return `${this.path}-${name}`;
  }

  add(command: string, sequence = 10): void {
    const args = ["--type", "after-receive", "--sequence", `${sequence}`, "--command", command, "-R", this.path];
    this.world.fossil(["hook", "add", ...args]);
  }

  /** A pass of Fossil's, without a lease. */
  fossilPass(): void {
    this.world.fossil(["backoffice", "--nolease", this.path]);
  }

  /** What the hook of either got; null where it did not run. */
  got(whose: "fossil" | "gatepost"): string | null {
    return fs.existsSync(this.file(whose)) ? fs.readFileSync(this.file(whose), "utf8") : null;
  }

  /** The same, once Fossil's hook has ended, for which Fossil does not wait. */
  fossilGot(): Promise<string> {
    return until("fossil's hook ran", () =>
      this.got("fossil") === null ? null : { text: this.got("fossil") ?? "" },
    ).then(({ text }) => text);
  }

  /** A row of Fossil's configuration. */
  config(name: string): string {
    return this.world.sql(this.path, `SELECT value FROM config WHERE name = '${name}'`);
  }
}

export const both = async (world: FossilWorld, file = world.repository()): Promise<Both> =>
  new Both(world, await watchFossil(world, { file }));
