/**
 * Lines of the same receipts from Gatepost and from the fossil program, of histories that are drawn anew in each run.
 *
 * What counts as a history: one repository of its own, which got 5 to 15 operations by the real fossil program (see
 * test/helpers/fossil-history.ts), 300 in all. They start as copies of one empty repository, so all have the same first
 * check-in. Most operations are commands run in a check-out or on the file; a clone that pushes by path is one of them,
 * and a few histories are pushed to a server over HTTP besides. In each, three intervals of receipts are compared to the
 * byte, searched for and by the rows in which they lie. Fossil's own runner drops the first receipt of an interval that
 * starts before its window of a day (or at 0); all of these start behind the first receipt of the same minute.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type BetterSqlite3 from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listArtifacts } from "../../src/vcs/fossil/listing.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import type { Rows, Span } from "../../src/vcs/repository.ts";
import { freePort } from "../helpers/fossil.ts";
import { FossilHistory } from "../helpers/fossil-history.ts";
import { FossilPlace, listedByFossil } from "../helpers/fossil-place.ts";
import { type Random, randomFrom } from "../helpers/random.ts";

const HISTORIES = 300;
const SERVED = 4;
/** Histories at a time: a fossil that writes waits for the disk more than it computes. */
const LANES = 6;
const seed = Number(process.env["GATEPOST_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "vcs-fossil-")));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 20 })); // lanes that go on where one failed

const place = new FossilPlace(folder);
const template = place.path("template.fossil");
beforeAll(async () => {
  await place.must(["init", template]);
  await place.must(["hook", "add", "--type", "after-receive", "--command", "x", "-R", template]);
  await place.must(["user", "password", "alice", "secret", "-R", template]);
});

const kindOf = (line: string): string =>
  / (check-in to|file (?=[^"])|file "|tag|cluster|ticket|wiki|event|attachment-control|attachment|forum-post|forum-reply-to|unknown|merge parent|parent|child|check-in referenced|referenced)/.exec(
    line,
  )?.[1] ?? "";

/** Where the blobs of one receipt lie: the last of them in a row, and the others as if they had been phantoms. */
function rowsOf(db: BetterSqlite3.Database, rcvid: number): Rows {
  const rids = db.prepare<[number], number>("SELECT rid FROM blob WHERE rcvid = ? ORDER BY rid").pluck().all(rcvid);
  const high = rids.at(-1);
  if (high === undefined) return { low: 1, high: 0, more: [], mark: "" };
  let low = high;
  while (rids.includes(low - 1)) low--;
  const mark = db.prepare<[number], string>("SELECT uuid FROM blob WHERE rid = ?").pluck().get(high) ?? "";
  return { low, high, more: rids.filter((rid) => rid < low), mark };
}

/** Compares some intervals; gives the kinds of line that were seen. */
async function compare(history: FossilHistory, random: Random, kinds: Set<string>): Promise<void> {
  const receipts = history.rows<{ rcvid: number }>("SELECT rcvid FROM rcvfrom ORDER BY rcvid").map((row) => row.rcvid);
  for (let round = 0; round < 3; round++) {
    const end = round === 0 ? receipts.length - 1 : 1 + random.below(receipts.length - 1);
    const begin = round === 0 ? 0 : random.below(end);
    const [base = 0, upto = 0] = [receipts[begin], receipts[end]];
    const theirs = await listedByFossil(history.place, history.repository, base, upto);
    const ours = await readFossil(history.repository, (db) => {
      const known = receipts
        .slice(begin, end)
        .map((after, i): Span => ({ after, upto: receipts[begin + i + 1] ?? 0, rows: null }))
        .map((span): Span => ({ ...span, rows: rowsOf(db, span.upto) }));
      const list = (spans: readonly Span[]): string =>
        Buffer.concat([...listArtifacts(db, { spans })]).toString("latin1");
      return { searched: list([{ after: base, upto, rows: null }]), known: list(known) };
    });
    const wanted = theirs.toString("latin1");
    if (ours.searched !== wanted || ours.known !== wanted)
      expect({ seed, log: history.log, base, upto, ...ours }).toEqual({
        ...{ seed, log: history.log, base, upto },
        ...{ searched: wanted, known: wanted },
      });
    for (const line of wanted.split("\n")) kinds.add(kindOf(line));
  }
}

const KINDS = [
  ...[
    "check-in to",
    "file ",
    'file "',
    "tag",
    "cluster",
    "ticket",
    "wiki",
    "event",
    "attachment-control",
    "attachment",
  ],
  ...["forum-post", "forum-reply-to", "unknown", "parent", "child", "check-in referenced", "referenced"],
];

describe("the artifact lines of random histories", () => {
  it(`are those of fossil in ${HISTORIES} of them, and every kind of line is among them`, async () => {
    const kinds = new Set<string>();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < HISTORIES) {
        const number = next++;
        const random = randomFrom(seed + number);
        const history = await FossilHistory.begin(place, template, `h${number}`, random);
        for (let steps = 5 + random.below(11); steps > 0; steps--) await history.step();
        if (number < SERVED) await pushOverHttp(history.repository);
        await compare(history, random, kinds);
        history.remove();
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect({ seed, missing: KINDS.filter((kind) => !kinds.has(kind)) }).toEqual({ seed, missing: [] });
  }, 600_000);
});

/** Clones over HTTP, works there (more than a cluster's worth of files) and pushes it back. */
async function pushOverHttp(repository: string): Promise<void> {
  const clone = `${repository}.over-http`;
  const work = `${repository}.work`;
  await serve(repository, async (url) => {
    await place.must(["clone", url, clone]);
    await place.must(["settings", "autosync", "off", "-R", clone]); // fossil keeps no password without a terminal
    fs.mkdirSync(work);
    const inWork = { cwd: work };
    await place.must(["open", clone], inWork);
    for (let i = 0; i < 120; i++) fs.writeFileSync(path.join(work, `served ${i}`), `${repository} ${i}\n`);
    await place.must(["addremove"], inWork);
    await place.must(["commit", "-m", "many", "--no-warnings", "--branch", "served"], inWork);
    await place.must(["wiki", "create", "Served"], { cwd: work, input: "text" });
    await place.must(["sync", url, "--once", "-u"], inWork);
  });
  for (const made of [clone, work]) fs.rmSync(made, { recursive: true });
}

/** A fossil server on loopback while `use` runs with its address. On a port of its own: of two servers that look for one at
 *  the same time, fossil 2.21 lets both say that they have it. */
async function serve(file: string, use: (url: string) => Promise<void>): Promise<void> {
  const child = spawn("fossil", ["server", "--nojail", "--localhost", "--port", `${await freePort()}`, file], {
    env: place.env,
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    const port = await new Promise<string>((resolve, reject) => {
      let said = "";
      child.stdout.on("data", (text) => {
        said += text;
        const found = /TCP port (\d+)/.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", () => reject(new Error(`the server ended: ${said}`)));
    });
    await use(`http://alice:secret@localhost:${port}/`);
  } finally {
    child.kill();
    await ended;
  }
}
