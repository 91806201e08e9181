/**
 * `gatepost why COMMIT` as a whole process in a repository with a million receipts of history, each a push to main of one
 * commit or two: for a commit that was the tip of a push, one in the middle of a push, and ones of long ago and of the
 * middle of the history; each call asks for another commit. The worst call is what is claimed. The rows are written
 * straight into the database, the commits by git fast-import.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { closeDatabase, openDatabase } from "../dist/store/database.js";
import { timed } from "./lib/account.mjs";
import { digits, median } from "./lib/figures.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, progress, table } from "./lib/report.mjs";
import { randomFrom, rounds } from "./lib/rounds.mjs";

export const title = "why COMMIT with 1,000,000 receipts of history";

const MAIN = "refs/heads/main";
const BEGAN = 1_600_000_000;
const STEP = 60;

export async function measure({ seed, quick }) {
  const place = makePlace();
  const receipts = quick ? 50_000 : 1_000_000;
  const count = quick ? 5 : 15;
  const repository = place.path("app.git");
  place.run("git", ["init", "-q", "--bare", "-b", "main", repository]);
  const commits = await history(place, repository, receipts);
  place.gatepost("init", repository);
  place.gatepost("settings", "-R", repository, "automatic-backoffice", "off");
  place.gatepost("hook", "add", "-R", repository, "--type", "after-receive", "--command", "true", "--name", "ci");
  const pushes = fill(join(repository, "gatepost", "gatepost.db"), commits, receipts);

  const random = randomFrom(seed);
  const near = (share) => Math.floor(receipts * (share + random() * 0.01));
  const inside = (at) => {
    while (pushes[at].length < 2) at--;
    return commits[pushes[at][0]];
  };
  const tip = (at) => commits[pushes[at].at(-1)];
  const asked = {
    "the tip of a recent push": () => tip(near(0.98)),
    "in the middle of a recent push": () => inside(near(0.98)),
    "in the middle of a push, half way back": () => inside(near(0.5)),
    "in the middle of an old push": () => inside(near(0.01)),
    "the tip of an old push": () => tip(near(0.01)),
    "the branch": () => "main",
  };
  const variants = Object.fromEntries(
    Object.entries(asked).map(([name, pick]) => [name, async () => ask(place, repository, pick())]),
  );
  variants["gatepost --version, to compare"] = async () =>
    timed([process.execPath, program, "--version"], { env: place.env });
  const found = await rounds("why", variants, { count, warm: 1, seed });
  place.remove();

  const wall = (name) => found[name].map((measured) => measured.wall);
  table(
    ["", "median ms", "worst ms", "median CPU ms"],
    Object.keys(found).map((name) => [
      name,
      digits(median(wall(name))),
      digits(Math.max(...wall(name))),
      digits(median(found[name].map(({ cpu }) => cpu))),
    ]),
  );
  const all = Object.keys(asked).flatMap(wall);
  const facts = { receipts, commits: commits.length, n: all.length, seed };
  return [
    claim({
      claim: "why COMMIT with 1,000,000 receipts, seconds, the worst call",
      figure: Math.max(...all) / 1000,
      goal: 0.3,
      medianOfTheWorst: Math.max(...Object.keys(asked).map((name) => median(wall(name)))) / 1000,
      ...facts,
    }),
  ];
}

function ask(place, repository, word) {
  const done = timed([process.execPath, program, "why", "-R", repository, word], { env: place.env });
  if (!/ reached refs\/heads\/main /.test(done.stdout)) throw new Error(`why ${word}: ${done.stdout}`);
  return done;
}

/** Commits in a row, oldest first: one for each push, and a second one for each fourth. */
async function history(place, repository, receipts) {
  const count = receipts + Math.floor(receipts / 4);
  const child = spawn("git", ["-C", repository, "fast-import", "--quiet"], {
    env: place.env,
    stdio: ["pipe", "inherit", "inherit"],
  });
  const ended = once(child, "exit");
  let text = "";
  for (let number = 0; number < count; number++) {
    const at = BEGAN + Math.floor(number / 1.25) * STEP;
    text += `commit ${MAIN}\ncommitter Bench <bench@example.org> ${at} +0000\ndata 7\nchange\n`;
    if (number % 10_000 !== 9999 && number !== count - 1) continue;
    progress(`making ${count} commits: ${number + 1}`);
    if (!child.stdin.write(text)) await once(child.stdin, "drain");
    text = "";
  }
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import: exit ${code}`);
  return place.git(repository, ["rev-list", "--reverse", MAIN]).split("\n");
}

/** A receipt, a move of the branch, a batch and a run for each push. Returns which commits came with each. */
function fill(file, commits, receipts) {
  const db = openDatabase(file);
  const { sqlite } = db;
  const [{ id: repository }] = sqlite.prepare("SELECT id FROM repository").all();
  const receipt = sqlite.prepare(
    "INSERT INTO receipt (id, repository, source, entry, at, user) VALUES (?, ?, 'push', ?, ?, CAST('bob' AS BLOB))",
  );
  const update = sqlite.prepare(
    "INSERT INTO ref_update (receipt, repository, name, old, new, how) VALUES (?, ?, CAST(? AS BLOB), ?, ?, 'entry')",
  );
  const batch = sqlite.prepare(
    "INSERT INTO batch (id, repository, base, upto, cut_at, receipts) VALUES (?, ?, ?, ?, ?, 1)",
  );
  const run = sqlite.prepare(
    `INSERT INTO run (incarnation, repository, hook, hook_name, type, sequence, batch, state, attempts, made_at, ended_at)
     VALUES ('a', ?, 1, 'ci', 'after-receive', 10, ?, 'done', 1, ?, ?)`,
  );
  const pushes = [];
  let next = 0;
  let old = "0".repeat(40);
  sqlite.pragma("synchronous = OFF");
  sqlite.transaction(() => {
    for (let id = 1; id <= receipts; id++) {
      const own = id % 4 === 0 ? [next, next + 1] : [next];
      next += own.length;
      pushes.push(own);
      const value = commits[own.at(-1)];
      const at = (BEGAN + Math.floor(own.at(-1) / 1.25) * STEP) * 1000 + 5000;
      receipt.run(id, repository, `e${id}`, at);
      update.run(id, repository, MAIN, old, value);
      batch.run(id, repository, id - 1, id, at + 10);
      run.run(repository, id, at + 10, at + 20);
      old = value;
      if (id % 10_000 === 0) progress(`writing ${receipts} receipts: ${id}`);
    }
    sqlite.prepare("UPDATE repository SET cursor = ?, registered_at = ?").run(receipts, BEGAN * 1000 - 1000);
    sqlite.prepare("UPDATE ref SET value = ?").run(old);
  })();
  sqlite.pragma("wal_checkpoint(TRUNCATE)");
  closeDatabase(db);
  return pushes;
}
