/**
 * What listing the artifacts of a Fossil repository costs, against `fossil hook test --dry-run` for the same receipts.
 *
 * The history has 10,000 check-ins of four files each, brought by `fossil import` in one receipt, and clusters. It is built
 * once and kept in the folder for temporary files. Measured is CPU: of this process, which has listed before, as a
 * daemon has; and of `gatepost hook test --dry-run` as a whole process, the start of Node included, which also tells the
 * memory.
 *
 * Then one small receipt, a check-in with four files, in that repository and in a tiny one; and artifacts that nothing
 * describes, for which all clusters must be searched, 1 and 300 at a time. Fossil searches for a receipt in all rows, and
 * unpacks every cluster for each such artifact.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { listArtifacts } from "../dist/vcs/fossil/listing.js";
import { readFossil } from "../dist/vcs/fossil/open.js";
import { timed } from "./lib/account.mjs";
import { digits, median, pairedRatio } from "./lib/figures.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, progress, skipped, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title =
  "the artifact lines of 50,000 artifacts of a Fossil repository, against fossil hook test --dry-run";

const CHECK_INS = 10_000;
const FILES = 4;
const SMALL_AT_ONCE = 100;
const noteMemory = new URL("lib/note-memory.mjs", import.meta.url).href;

export async function measure({ seed, quick }) {
  const place = makePlace();
  Object.assign(place.env, { FOSSIL_HOME: place.env.HOME, USER: "bench" });
  try {
    place.run("fossil", ["version"]);
  } catch {
    return [skipped("50,000 artifacts of Fossil listed / fossil", 0.5, "there is no fossil")];
  }
  const checkIns = quick ? CHECK_INS / 10 : CHECK_INS;
  const big = await history(place, checkIns);
  const tiny = place.path("tiny.fossil");
  place.run("fossil", ["init", tiny]);
  await fastImport(place, tiny, 0, 1);
  place.run("fossil", ["hook", "add", "--type", "after-receive", "--command", "x", "-R", tiny]);
  const newest = rowsOf(big).rcvid;
  place.gatepost("init", big);
  place.gatepost("hook", "add", "-R", big, "--name", "lines", "--type", "after-receive", "--command", "x");
  const [one, many] = [1, 300].map((count) => withUnknown(place, big, count));

  const ours =
    (file, after, upto, rows = null) =>
    async () => {
      const begin = process.cpuUsage();
      let bytes = 0;
      await readFossil(file, (db) => {
        for (const chunk of listArtifacts(db, { spans: [{ after, upto, rows }] })) bytes += chunk.length;
      });
      const used = process.cpuUsage(begin);
      return { cpu: (used.user + used.system) / 1000, bytes };
    };
  const fossil = (file, after, upto) => async () => {
    const interval = ["--base-rcvid", `${after}`, "--new-rcvid", `${upto}`];
    const { cpu, stdout } = timed(["fossil", "hook", "test", "0", "--dry-run", ...interval, "-R", file], {
      env: place.env,
    });
    return { cpu, bytes: Buffer.byteLength(stdout) - 2 };
  };
  const process_ = async () => {
    const note = place.path("memory");
    const env = { ...place.env, NODE_OPTIONS: `--import=${noteMemory}`, GATEPOST_BENCH_MEMORY: note };
    const interval = ["--base-rcvid", "1", "--new-rcvid", "2"];
    const argv = [process.execPath, program, "hook", "test", "lines", "--dry-run", ...interval, "-R", big];
    const { cpu, stdout } = timed(argv, { env });
    return { cpu, bytes: Buffer.byteLength(stdout) - "x\n".length, memory: Number(readFileSync(note, "utf8")) / 1024 };
  };
  const small = (file) => {
    const rows = rowsOf(file);
    const list = ours(file, rows.rcvid - 1, rows.rcvid, rows);
    return async () => {
      let [cpu, bytes] = [0, 0];
      for (let i = 0; i < SMALL_AT_ONCE; i++) {
        const measured = await list();
        cpu += measured.cpu / SMALL_AT_ONCE;
        bytes = measured.bytes;
      }
      return { cpu, bytes };
    };
  };
  const variants = {
    "fossil, all": fossil(big, 1, 2),
    "ours, all, in a daemon": ours(big, 1, 2),
    "ours, all, whole process": process_,
    "fossil, small receipt, large": fossil(big, newest - 1, newest),
    "fossil, small receipt, tiny": fossil(tiny, 1, 2),
    "ours, small receipt, large": small(big),
    "ours, small receipt, tiny": small(tiny),
    "ours, searched, large": ours(big, newest - 1, newest),
    "fossil, 1 unknown": fossil(one, newest, newest + 1),
    "fossil, 300 unknown": fossil(many, newest, newest + 1),
    "ours, 1 unknown": ours(one, newest, newest + 1),
    "ours, 300 unknown": ours(many, newest, newest + 1),
  };
  const found = await rounds("fossil-list", variants, { count: quick ? 3 : 9, warm: 1, seed });
  place.remove();

  const of = (name, what = "cpu") => found[name].map((measured) => measured[what]);
  const ratio = (name, base) => pairedRatio(of(name), of(base)).median;
  table(
    ["", "bytes", "CPU ms"],
    Object.keys(found).map((name) => [name, digits(found[name][0].bytes), digits(median(of(name)))]),
  );
  for (const [name, base] of [
    ["ours, all, in a daemon", "fossil, all"],
    ["ours, all, whole process", "fossil, all"],
    ["ours, small receipt, large", "fossil, small receipt, large"],
    ["ours, 300 unknown", "fossil, 300 unknown"],
  ])
    if (of(name, "bytes")[0] !== of(base, "bytes")[0]) throw new Error(`${name}: not the list of ${base}`);
  const facts = { artifacts: checkIns * (FILES + 1), n: of("fossil, all").length, seed };
  const claims = [
    ["50,000 artifacts of Fossil in a daemon / fossil", ratio("ours, all, in a daemon", "fossil, all"), 0.5],
    ["the same, whole process with Node's start / fossil", ratio("ours, all, whole process", "fossil, all"), 1],
    ["its peak memory in MB", Math.max(...of("ours, all, whole process", "memory")), 120],
    ["a small receipt of Fossil, large / tiny", ratio("ours, small receipt, large", "ours, small receipt, tiny"), 1.5],
    ["the same with fossil", ratio("fossil, small receipt, large", "fossil, small receipt, tiny"), null],
    ["300 unknown artifacts of Fossil / fossil", ratio("ours, 300 unknown", "fossil, 300 unknown"), null],
    ["300 unknown artifacts / 1", ratio("ours, 300 unknown", "ours, 1 unknown"), null],
  ];
  return claims.map(([name, figure, goal]) => claim({ claim: name, figure, goal, ...facts }));
}

/** Number and rows of the newest receipt. */
function rowsOf(file) {
  const db = new BetterSqlite3(file, { readonly: true });
  const rcvid = db.prepare("SELECT max(rcvid) FROM rcvfrom").pluck().get();
  const rows = db.prepare("SELECT min(rid) AS low, max(rid) AS high FROM blob WHERE rcvid = ?").get(rcvid);
  const mark = db.prepare("SELECT uuid FROM blob WHERE rid = ?").pluck().get(rows.high);
  db.close();
  return { ...rows, more: [], mark, rcvid };
}

/** A copy with one more receipt, of artifacts that nothing describes. */
function withUnknown(place, big, count) {
  const file = place.path(`unknown-${count}.fossil`);
  copyFileSync(big, file);
  const db = new BetterSqlite3(file);
  db.prepare("INSERT INTO rcvfrom(uid, mtime) SELECT uid, mtime FROM rcvfrom ORDER BY rcvid DESC LIMIT 1").run();
  db.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO blob(rcvid, size, uuid, content) SELECT (SELECT max(rcvid) FROM rcvfrom), 0, printf('%064d', i), x'00000000789c030000000001' FROM n`,
  ).run(count);
  db.close();
  return file;
}

/** A copy of the repository with that many check-ins, made now or by an earlier run. Its receipts are of today. */
async function history(place, checkIns) {
  const kept = join(tmpdir(), `gatepost-bench-history-${checkIns}-${process.geteuid()}.fossil`);
  if (!existsSync(kept)) {
    progress(`making a Fossil history of ${checkIns} check-ins, kept for the next time`);
    const making = place.path("making.fossil");
    place.run("fossil", ["init", making]);
    place.run("fossil", ["hook", "add", "--type", "after-receive", "--command", "x", "-R", making]);
    await fastImport(place, making, 0, checkIns);
    place.run("fossil", ["test-create-clusters", "-R", making]);
    await fastImport(place, making, checkIns, 1);
    try {
      renameSync(making, kept);
    } catch (error) {
      if (error.code !== "EXDEV") throw error;
      copyFileSync(making, kept);
    }
  }
  const file = place.path("big.fossil");
  copyFileSync(kept, file);
  const db = new BetterSqlite3(file);
  db.prepare("UPDATE rcvfrom SET mtime = julianday('now')").run();
  db.close();
  return file;
}

/** Brings `count` check-ins in one receipt. */
async function fastImport(place, file, first, count) {
  const child = spawn("fossil", ["import", "--git", "--incremental", file], {
    env: place.env,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(child, "exit");
  for (let number = first; number < first + count; number++) {
    const branch = number > 10 && number % 7 === 3 ? `b${number % 23}` : "trunk";
    let text = `commit refs/heads/${branch}\nmark :${number + 1}\ncommitter Bench <bench@example.org> ${1_700_000_000 + number * 60} +0000\ndata 7\nchange\n`;
    if (number > first) text += `from :${number}\n`;
    for (let i = 0; i < FILES; i++) {
      const content = `content ${number} ${i}\n`;
      const name = `folder${(number * 7 + i) % 40}/file${(number * 11 + i * 3) % 100}.txt`;
      text += `M 100644 inline ${name}\ndata ${content.length}\n${content}`;
    }
    if (!child.stdin.write(text)) await once(child.stdin, "drain");
  }
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`fossil import: exit ${code}`);
}
