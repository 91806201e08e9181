/**
 * Random histories of Fossil repositories, made by the real fossil program. A history is one repository with a check-out
 * and a number of operations on it, each drawn by a seed: what people do (edit, rename, delete, merge, tag, amend, wiki,
 * tickets, technotes, attachments, unversioned files, private branches, clone and sync), what an administrator does (shun,
 * rebuild, make clusters), and artifacts written by hand for what no command makes (forum posts, a control artifact with
 * several targets, clusters of few, content that came before or after those who name it).
 *
 * An operation may find nothing to do, and some that are drawn are refused by fossil: `log` has what was called and how
 * it ended. Whether the histories had all that they should is for the test to say, from the lines that came out.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { type FossilPlace, put, signed } from "./fossil-place.ts";
import type { Random } from "./random.ts";

const names = ["a", "b c", "d/e.txt", "d/ü.md", "d/f \"q\" 'r'", "g\nh", "-x", "z/y/x/w", "tab\there", "%s %F"];
const people = ["alice", "bob", "Jane Doe on trunk", "zoë", "nl\nuser", "x by y on z"];
const branches = ["trunk", "side", "feat x", "bränch", "rel-1.0"];
const tags = ["t1", "v 2.0", "v-3", "x:y", "tägg", "closed"];
const pages = ["Home", 'My "Page" é', "a  b", "Ünï"];

/** One repository that grows by `step`. */
export class FossilHistory {
  readonly place: FossilPlace;
  readonly repository: string;
  readonly log: string[] = [];
  readonly #checkout: string;
  readonly #random: Random;
  #count = 0;
  #clone: string | null = null;

  private constructor(place: FossilPlace, name: string, random: Random) {
    this.place = place;
    this.repository = place.path(`${name}.fossil`);
    this.#checkout = place.path(`${name}.checkout`);
    this.#random = random;
  }

  /** A repository as `fossil init` made it (`template` is a copy of one that has a hook `x`), and a check-out of it. */
  static async begin(place: FossilPlace, template: string, name: string, random: Random): Promise<FossilHistory> {
    const history = new FossilHistory(place, name, random);
    fs.copyFileSync(template, history.repository);
    fs.mkdirSync(history.#checkout);
    await place.must(["open", history.repository], { cwd: history.#checkout });
    return history;
  }

  /** One operation, drawn at random. */
  async step(): Promise<void> {
    const operations: [number, () => Promise<void>][] = [
      [24, () => this.#commit()],
      [5, () => this.#rename()],
      [4, () => this.#remove()],
      [5, () => this.#move()],
      [6, () => this.#merge()],
      [10, () => this.#tag()],
      [8, () => this.#amend()],
      [4, () => this.#branch()],
      [6, () => this.#wiki()],
      [4, () => this.#technote()],
      [6, () => this.#ticket()],
      [5, () => this.#attach()],
      [3, () => this.#unversioned()],
      [5, () => this.#forum()],
      [5, () => this.#control()],
      [5, () => this.#cluster()],
      [5, () => this.#content()],
      [3, () => this.#sync()],
      [2, () => this.#shun()],
      [2, () => this.#rebuild()],
      [3, () => this.#lose()],
    ];
    let at = this.#random.below(operations.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, operation] of operations) {
      at -= weight;
      if (at < 0) return operation();
    }
  }

  /** Takes all its files away. */
  remove(): void {
    for (const file of [this.repository, this.#checkout, `${this.repository}.clone`])
      fs.rmSync(file, { recursive: true, force: true });
  }

  /** Rows that a statement finds in the repository. */
  rows<T>(sql: string): T[] {
    const db = new BetterSqlite3(this.repository, { readonly: true });
    try {
      return db.prepare(sql).all() as T[];
    } finally {
      db.close();
    }
  }

  async #fossil(args: readonly string[], input: string | Buffer = ""): Promise<Buffer> {
    const { code, out } = await this.place.run(args, { cwd: this.#checkout, input });
    this.log.push(`${JSON.stringify(args)} -> ${code}`);
    return out;
  }

  #hash(where = "1"): string | null {
    const found = this.rows<{ uuid: string }>(`SELECT uuid FROM blob WHERE ${where} ORDER BY rid`);
    return found.length === 0 ? null : this.#random.pick(found).uuid;
  }

  readonly #checkIn = (): string => this.#hash("rid IN (SELECT objid FROM event WHERE type = 'ci')") ?? "trunk";

  /** Content that is new, or one of few that come again under other names. */
  #text(): string {
    return this.#random.chance(0.3)
      ? `again ${this.#random.below(4)}\n`
      : `new ${++this.#count} ${"x".repeat(this.#random.below(300))}\n`;
  }

  #tracked(): string[] {
    return names.filter((name) => fs.existsSync(path.join(this.#checkout, name)));
  }

  async #commitNow(...more: string[]): Promise<void> {
    const { chance, pick } = this.#random;
    await this.#fossil([
      ...["commit", "-m", `c${++this.#count}`, "--no-warnings", "--hash", "--allow-fork", "--allow-conflict"],
      ...(chance(0.3) ? ["--user-override", pick(people)] : []),
      ...(chance(0.2) ? ["--branch", pick(branches)] : []),
      ...(chance(0.15) ? ["--tag", pick(tags)] : []),
      ...(chance(0.1) ? ["--private"] : []),
      ...(chance(0.1) ? ["--delta"] : []),
      ...(chance(0.1) ? ["--close"] : []),
      ...(chance(0.15) ? ["--allow-older", "--date-override", `201${this.#random.below(10)}-02-03 04:05:06`] : []),
      ...more,
    ]);
  }

  async #commit(): Promise<void> {
    for (let i = this.#random.below(4); i >= 0; i--) {
      const file = path.join(this.#checkout, this.#random.pick(names));
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, this.#text());
      if (this.#random.chance(0.2)) fs.chmodSync(file, this.#random.chance(0.5) ? 0o755 : 0o644);
    }
    await this.#fossil(["addremove", "--dotfiles"]);
    await this.#commitNow();
  }

  async #rename(): Promise<void> {
    const tracked = this.#tracked();
    if (tracked.length === 0) return;
    const from = this.#random.pick(tracked);
    await this.#fossil(["mv", "--hard", "--", from, `renamed ${++this.#count}`]);
    await this.#commitNow();
  }

  async #remove(): Promise<void> {
    const tracked = this.#tracked();
    if (tracked.length === 0) return;
    fs.rmSync(path.join(this.#checkout, this.#random.pick(tracked)));
    await this.#fossil(["addremove"]);
    await this.#commitNow();
  }

  async #move(): Promise<void> {
    await this.#fossil(["update", this.#checkIn()]);
  }

  async #merge(): Promise<void> {
    const { pick } = this.#random;
    await this.#fossil(["merge", ...pick([[], [], ["--cherrypick"], ["--integrate"], ["--force"]]), this.#checkIn()]);
    await this.#commitNow("--allow-empty");
  }

  async #tag(): Promise<void> {
    const { chance, pick } = this.#random;
    const target = chance(0.8) ? this.#checkIn() : (this.#hash() ?? "trunk");
    const raw = chance(0.4) ? ["--raw"] : [];
    if (chance(0.3)) await this.#fossil(["tag", "cancel", ...raw, pick(tags), target]);
    else await this.#fossil(["tag", "add", ...raw, ...(chance(0.4) ? ["--propagate"] : []), pick(tags), target]);
  }

  async #amend(): Promise<void> {
    const { chance, pick } = this.#random;
    const options = pick([
      ["-m", "amended"],
      ["--author", pick(people)],
      ["--date", "2021-05-06 07:08:09"],
      ["--branch", pick(branches)],
      ["--tag", pick(tags), "--cancel", pick(tags)],
      ["--close"],
      ["--bgcolor", "#123456"],
    ]);
    const older = chance(0.2) ? ["--date-override", "2020-01-01 00:00:00"] : [];
    await this.#fossil(["amend", this.#checkIn(), ...options, ...older]);
  }

  async #branch(): Promise<void> {
    const { chance, pick } = this.#random;
    await this.#fossil([
      "branch",
      "new",
      `${pick(branches)}${++this.#count}`,
      this.#checkIn(),
      ...(chance(0.2) ? ["--private"] : []),
    ]);
  }

  async #wiki(): Promise<void> {
    const page = this.#random.pick(pages);
    await this.#fossil(["wiki", "create", page], this.#text());
    if (this.#random.chance(0.4)) await this.#fossil(["wiki", "commit", page], this.#text());
  }

  async #technote(): Promise<void> {
    const at = `202${this.#random.below(3)}-01-01 01:0${this.#random.below(3)}:00`;
    await this.#fossil(["wiki", "create", "note", "-t", at, "--technote-tags", "a,b"], this.#text());
    if (this.#random.chance(0.3)) await this.#fossil(["wiki", "commit", "note", "-t", at], this.#text());
  }

  async #ticket(): Promise<void> {
    const said = String(await this.#fossil(["ticket", "add", "title", `t${++this.#count}`, "comment", "c"]));
    const id = /[0-9a-f]{40}/.exec(said)?.[0];
    if (id !== undefined && this.#random.chance(0.3)) await this.#fossil(["ticket", "set", id, "status", "Closed"]);
  }

  async #attach(): Promise<void> {
    const { chance, pick } = this.#random;
    const file = path.join(this.#checkout, chance(0.3) ? "again.bin" : `att ${++this.#count}`);
    fs.writeFileSync(file, this.#text());
    const page = pick(pages);
    if (chance(0.5)) await this.#fossil(["wiki", "create", page], this.#text());
    await this.#fossil(["attachment", "add", page, file]);
    fs.rmSync(file);
  }

  async #unversioned(): Promise<void> {
    await this.#fossil(["uv", "add", "-", "--as", `uv${this.#random.below(3)}`], this.#text());
  }

  #put(text: string, isArtifact: boolean): Promise<string> {
    return put(text, isArtifact, (args) => this.#fossil(args), this.#checkout);
  }

  #now(): string {
    return this.#random.chance(0.2) ? "2019-03-04T05:06:07.000" : new Date().toISOString().slice(0, 23);
  }

  async #forum(): Promise<void> {
    const text = `post ${++this.#count}`;
    const body = `W ${text.length}\n${text}`;
    const root = this.#hash("rid IN (SELECT rid FROM tagxref) OR rid % 3 = 0") ?? "";
    const posted = await this.#put(signed([`D ${this.#now()}`, "H Title", "U alice", body]), true);
    if (this.#random.chance(0.6)) {
      const to = this.#random.chance(0.8) ? posted : root;
      await this.#put(signed([`D ${this.#now()}`, `G ${to}`, `I ${to}`, "U bob", body]), true);
    }
  }

  /** Tags on several artifacts by one, some of which may not be there. */
  async #control(): Promise<void> {
    const { below, chance, pick } = this.#random;
    const targets = Array.from({ length: 1 + below(4) }, () =>
      chance(0.2)
        ? createHash("sha3-256")
            .update(`again ${below(4)}\n`)
            .digest("hex")
        : (this.#hash() ?? ""),
    );
    const cards = targets.map((target) => `T ${pick(["+", "*", "-"])}${pick(["q1", "q2", "sym-q3"])} ${target}`);
    const ordered = [...new Set(cards)].sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1));
    await this.#put(signed([`D ${this.#now()}`, ...ordered, "U bob"]), true);
  }

  async #cluster(): Promise<void> {
    const hashes = Array.from({ length: 1 + this.#random.below(5) }, () => this.#hash() ?? "");
    if (this.#random.chance(0.3)) await this.#fossil(["test-create-clusters"]);
    await this.#put(signed([...new Set(hashes)].sort().map((hash) => `M ${hash}`)), true);
  }

  async #content(): Promise<void> {
    await this.#put(this.#text(), false);
  }

  /** Work in a clone, and what it has is pushed by path. */
  async #sync(): Promise<void> {
    if (this.#clone === null) {
      this.#clone = `${this.repository}.clone`;
      await this.#fossil(["clone", this.repository, this.#clone]);
    }
    const in_ = ["-R", this.#clone];
    await this.#fossil(["wiki", "create", `cloned ${++this.#count}`, ...in_], this.#text());
    if (this.#random.chance(0.5)) await this.#fossil(["tag", "add", this.#random.pick(tags), "trunk", ...in_]);
    await this.#fossil(["sync", this.repository, ...in_]);
  }

  async #shun(): Promise<void> {
    const hash = this.#hash("rid > 1");
    if (hash === null) return;
    await this.#fossil(["sql", `INSERT OR IGNORE INTO shun(uuid, mtime) VALUES('${hash}', 0)`]);
    await this.#rebuild();
  }

  async #rebuild(): Promise<void> {
    await this.#fossil(["rebuild", this.repository, ...(this.#random.chance(0.3) ? ["--analyze"] : [])]);
  }

  /** Takes a row away as only damage does: what nothing describes by itself is then told from what refers to it. That
   *  something is a control artifact is left: without that, an attached or tagged one may be told otherwise than here. */
  async #lose(): Promise<void> {
    const table = this.#random.pick(["event", "event", "event", "attachment"]);
    const rows = this.rows<{ row: number }>(
      `SELECT rowid AS row FROM ${table}${table === "event" ? " WHERE type <> 'g'" : ""}`,
    );
    if (rows.length > 0)
      await this.#fossil(["sql", `DELETE FROM ${table} WHERE rowid = ${this.#random.pick(rows).row}`]);
  }
}
