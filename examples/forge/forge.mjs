/**
 * What the forge is: repositories in a folder, one Gatepost home for all of them, and an index of what was pushed.
 *
 * FOLDER/NAME.git       the repositories
 * FOLDER/.gatepost      the home; `gatepost … --home FOLDER/.gatepost` is the same home from the command line
 * FOLDER/index.jsonl    a line for each run of the function hook: what it indexed
 */
import { execFile } from "node:child_process";
import { EventEmitter } from "node:events";
import { appendFile, mkdir, readFile, realpath, truncate } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { openHome } from "gatepost";

const run = promisify(execFile);

/** A call that asks for what cannot be; `status` is what HTTP calls it. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Emits "indexed" with each entry that was added to the index. */
export class Forge extends EventEmitter {
  #home;
  /** By run: the same run twice (after a crash) is the same entry. */
  #index = new Map();

  constructor(dir, home) {
    super();
    this.dir = dir;
    this.#home = home;
  }

  static async open(folder) {
    await mkdir(folder, { recursive: true });
    const dir = await realpath(folder);
    const forge = new Forge(dir, await openHome(join(dir, ".gatepost"), { create: true }));
    await forge.#readIndex();
    await forge.#home.hook({
      name: "index",
      type: "after-receive",
      retries: 5,
      run: (batch, { signal }) => forge.#indexBatch(batch, signal),
    });
    return forge;
  }

  /** What arrived while the forge was down is handed out first. */
  async serve(signal) {
    await this.#home.serve({ signal, log: (level, message) => level === "error" && console.error(message) });
  }

  async close() {
    await this.#home.close();
  }

  async create(name) {
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) throw new Refusal(400, "A name has small letters, digits and dashes.");
    const path = join(this.dir, `${name}.git`);
    await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", path]);
    await this.#home.registerRepository(path);
    return `${name}.git`;
  }

  async repositories() {
    return (await this.#home.repositories()).map(({ name, path, parked }) => ({ name, path, parked }));
  }

  /** The newest runs: of the function hook, of hooks that were added by the command line, and of gates. */
  async runs() {
    const lines = await this.#home.runs({ limit: 50 });
    return lines.map(({ name, repository, hook, what, run: { state, reason } }) => ({
      run: name,
      ...{ repository, hook, what, state, reason },
    }));
  }

  /** What was pushed, oldest first. */
  index() {
    return [...this.#index.values()];
  }

  async #indexBatch(batch, signal) {
    const checkIns = [];
    let files = 0;
    for await (const line of batch.artifacts()) {
      signal.throwIfAborted();
      if (/^[0-9a-f]+ check-in /.test(line)) checkIns.push(line);
      else if (/^[0-9a-f]+ file /.test(line)) files += 1;
    }
    const { run: id, repository, updates, receipts } = batch;
    const entry = {
      run: id,
      repository: repository.name,
      by: [...new Set(receipts.map(({ user }) => user ?? "somebody"))],
      refs: updates.map(({ ref }) => ref),
      checkIns: checkIns.slice(0, 100),
      files,
    };
    if (!this.#index.has(id)) await appendFile(this.#file, `${JSON.stringify(entry)}\n`);
    this.#index.set(id, entry);
    this.emit("indexed", entry);
  }

  get #file() {
    return join(this.dir, "index.jsonl");
  }

  async #readIndex() {
    const text = await readFile(this.#file, "utf8").catch(() => "");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    // We died while we wrote the rest: its run has not ended, and comes again.
    if (whole !== text) await truncate(this.#file, Buffer.byteLength(whole));
    for (const line of whole.split("\n").slice(0, -1)) {
      const entry = JSON.parse(line);
      this.#index.set(entry.run, entry);
    }
  }
}
