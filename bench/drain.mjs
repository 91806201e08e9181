/**
 * How fast waiting entries become receipts: 10,000 of them, in one case all moving one ref on, in the other each making
 * a ref of its own. Measured is `gatepost backoffice` as a whole process, the start of Node included. There is no hook,
 * so that nothing but the drain is in the figure. Each round drains a repository that was just made.
 */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatEntry } from "../dist/spool/entry.js";
import { timed } from "./lib/account.mjs";
import { digits, median } from "./lib/figures.mjs";
import { watchHome } from "./lib/homes.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, table } from "./lib/report.mjs";
import { makeBorrower, makeChain } from "./lib/repositories.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "10,000 waiting spool entries drained into receipts";

const ZERO = "0".repeat(40);

export async function measure({ seed, quick }) {
  const place = makePlace();
  const entries = quick ? 1000 : 10_000;
  const count = quick ? 2 : 5;
  const lender = place.path("lender.git");
  const commits = makeChain(place, lender, entries + 1);
  const last = commits[entries];

  const cases = {
    "one ref's chain": {
      before: `create refs/heads/main ${commits[0]}\n`,
      after: `update refs/heads/main ${last}\n`,
      update: (i) => ({ ref: "refs/heads/main", old: commits[i], new: commits[i + 1] }),
    },
    "a ref each": {
      before: "",
      after: commits
        .slice(0, entries)
        .map((_, i) => `create refs/heads/topic${i} ${last}\n`)
        .join(""),
      update: (i) => ({ ref: `refs/heads/topic${i}`, old: ZERO, new: last }),
    },
  };
  const drain = (name) => async (round) => {
    const repository = makeBorrower(place, place.path(`${name[0]}${round}.git`), lender);
    const { before, after, update } = cases[name];
    place.git(repository, ["update-ref", "--stdin"], before);
    place.gatepost("init", repository);
    place.git(repository, ["update-ref", "--stdin"], after);
    place.git(repository, ["pack-refs", "--all"]);
    const home = join(repository, "gatepost");
    for (let i = 0; i < entries; i++)
      writeFileSync(join(home, "spool", `${randomUUID()}.entry`), formatEntry(entryOf(repository, update(i))));
    const measured = timed([process.execPath, program, "backoffice", repository], { env: place.env });
    requireAllThere(home, entries);
    place.run("rm", ["-rf", repository]);
    return measured;
  };
  const variants = Object.fromEntries(Object.keys(cases).map((name) => [name, drain(name)]));
  const found = await rounds("drain", variants, { count, warm: 1, seed });
  place.remove();

  const rate = (list, what) => entries / (median(list.map((measured) => measured[what])) / 1000);
  table(
    ["10,000 entries on", "wall ms", "entries/s", "CPU ms", "entries per CPU second"],
    Object.entries(found).map(([name, list]) => [
      name,
      digits(median(list.map(({ wall }) => wall))),
      digits(rate(list, "wall")),
      digits(median(list.map(({ cpu }) => cpu))),
      digits(rate(list, "cpu")),
    ]),
  );
  return Object.entries(found).map(([name, list]) =>
    claim({
      claim: `entries drained a second, ${name}`,
      figure: rate(list, "wall"),
      goal: 3000,
      atLeast: true,
      perCpuSecond: rate(list, "cpu"),
      n: count,
      seed,
    }),
  );
}

/** A rate is worth nothing when not every entry made its receipt, once, with its move. */
function requireAllThere(home, entries) {
  const watched = watchHome(home);
  const one = (sql) => Object.values(watched.db.sqlite.prepare(sql).get())[0];
  const receipts = one("SELECT count(*) FROM receipt WHERE source = 'push'");
  const moves = one("SELECT count(*) FROM ref_update WHERE how = 'entry'");
  const idle = watched.isIdle();
  watched.close();
  if (receipts !== entries || moves !== entries || !idle)
    throw new Error(`of ${entries} entries came ${receipts} receipts with ${moves} moves; spool empty: ${idle}`);
}

const entryOf = (dir, update) => ({
  kind: "push",
  hook: "post-receive",
  dir,
  namespace: null,
  glUser: null,
  glRepo: null,
  remoteUser: null,
  address: null,
  options: [],
  updates: [update],
});
