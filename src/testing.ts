/**
 * For the tests of programs that embed Gatepost: a home of its own with a repository to push to. It needs git and sh, and
 * no particular test runner. What this module exports is covered by the version numbers, as the library is.
 *
 * @example
 * import { testHome } from 'gatepost/testing';
 *
 * const place = await testHome();
 * try {
 *   const seen = [];
 *   await place.home.hook({ name: "index", type: "after-receive", run: ({ updates }) => seen.push(...updates) });
 *   const hash = await place.push({ "a.txt": "hello" });
 *   await place.pass();
 *   assert.equal(seen[0].new, hash);
 *   assert.equal((await place.runs())[0].run.state, "done");
 * } finally {
 *   await place.dispose(); // or at the beginning: await using place = await testHome()
 * }
 */
import { join } from "node:path";
import { TestPlace } from "./home/test-place.ts";
import { type Home, openHome, type RunLine, type RunsFilter } from "./index.ts";

export type PushOptions = {
  /** The branch that is pushed to (default "main"). */
  branch?: string;
  /** Of the commit (default "a commit"). */
  message?: string;
  /** Words for git push, such as "--force" or "--push-option=x". */
  args?: readonly string[];
};

/** A home with one bare repository and a clone of that. Nothing runs by itself: a test says when passes are made. */
export class TestHome {
  readonly #place: TestPlace;
  #gone: Promise<void> | null = null;
  /** The open home, which serves the repository. */
  readonly home: Home;

  /** Use `testHome`. */
  private constructor(place: TestPlace, home: Home) {
    this.#place = place;
    this.home = home;
  }

  /** The same as `testHome`. */
  static async make(): Promise<TestHome> {
    const place = new TestPlace();
    try {
      await place.make();
      await place.git(["init", "-q", "--bare", "-b", "main", "app.git"], place.dir);
      await place.git(["clone", "-q", "app.git", "clone"], place.dir);
      await place.git(["symbolic-ref", "HEAD", "refs/heads/main"], join(place.dir, "clone"));
      const home = await openHome(join(place.dir, "home"), { create: true, env: place.env });
      await home.set("automatic-backoffice", "off");
      await home.registerRepository(join(place.dir, "app.git"));
      return new TestHome(place, home);
    } catch (error) {
      await place.remove();
      throw error;
    }
  }

  /** The temporary folder that all of it stands in. */
  get dir(): string {
    return this.#place.dir;
  }

  /** The bare repository. */
  get repository(): string {
    return join(this.dir, "app.git");
  }

  /** The clone that `push` commits in. */
  get clone(): string {
    return join(this.dir, "clone");
  }

  /** The environment in which the `gatepost` program finds this home, and git no configuration of the user's. */
  get env(): Readonly<Record<string, string>> {
    return this.#place.env;
  }

  /** Runs git in the clone and returns what it printed. */
  async git(...args: readonly string[]): Promise<string> {
    return await this.#place.git(args, this.clone);
  }

  /** Writes files (null deletes one), commits, pushes, and returns the commit's hash. Rejects where a gate refused, with
   *  what git said. */
  async push(
    files: Readonly<Record<string, string | null>> = {},
    { branch = "main", message = "a commit", args = [] }: PushOptions = {},
  ): Promise<string> {
    await this.#place.write(this.clone, files);
    await this.git("add", "-A");
    await this.git("commit", "-q", "--allow-empty", "-m", message);
    await this.git("push", "-q", ...args, "origin", `HEAD:refs/heads/${branch}`);
    return await this.git("rev-parse", "HEAD");
  }

  /** Makes one pass: hands out what was pushed, and settles when nothing is left to do now. */
  async pass(): Promise<void> {
    await this.home.pass();
  }

  /** The runs that match, newest first. */
  async runs(filter: RunsFilter = {}): Promise<RunLine[]> {
    return await this.home.runs(filter);
  }

  /** Closes the home and takes the folder away. Idempotent. */
  dispose(): Promise<void> {
    this.#gone ??= this.home.close().then(() => this.#place.remove());
    return this.#gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** Makes a home for a test. */
export const testHome = (): Promise<TestHome> => TestHome.make();
