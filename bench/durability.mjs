/**
 * What two promises cost: that a finished transaction survives a power cut (synchronous=FULL, against NORMAL), and that
 * a holder who lost the lease can write nothing (the token read, and the file compared with its path, in each
 * transaction). Measured is one small transaction of the backoffice's kind, in this process, on the disk of TMPDIR.
 */
import { closeDatabase, createDatabase, write } from "../dist/store/database.js";
import { takeLease, writeAsHolder } from "../dist/store/lease.js";
import { putSetting } from "../dist/store/setting.js";
import { digits, median } from "./lib/figures.mjs";
import { makePlace } from "./lib/place.mjs";
import { claim, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "the cost of syncing each transaction, and of the lease's token in it";

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 5 : 20;
  const transactions = quick ? 100 : 500;
  const db = createDatabase(place.path("gatepost.db"));
  const holder = { holder: "bench", bootId: "bench", pid: process.pid, startTime: "0" };
  const { token } = takeLease(db, holder, { wall: Date.now(), sinceBoot: 0 }, 1e9, () => false);
  const each = (synchronous, transaction) => async () => {
    db.sqlite.pragma(`synchronous = ${synchronous}`);
    const began = performance.now();
    for (let i = 0; i < transactions; i++) transaction(() => putSetting(db, "bench", String(i)));
    return ((performance.now() - began) * 1000) / transactions;
  };
  const plain = (work) => write(db, work);
  const fenced = (work) => writeAsHolder(db, token, work);
  const variants = {
    "FULL, with the token": each("FULL", fenced),
    "FULL, without": each("FULL", plain),
    "NORMAL, with the token": each("NORMAL", fenced),
    "NORMAL, without": each("NORMAL", plain),
  };
  const found = await rounds("durability", variants, { count, seed });
  closeDatabase(db);
  place.remove();
  const cost = (name) => median(found[name]);
  table(
    ["a transaction", "µs"],
    Object.keys(variants).map((name) => [name, digits(cost(name))]),
  );
  return [
    claim({
      claim: "µs that synchronous=FULL adds to a transaction",
      figure: cost("FULL, with the token") - cost("NORMAL, with the token"),
      goal: null,
      n: count,
      seed,
    }),
    claim({
      claim: "µs that the token and the look at the file add to a transaction",
      figure: cost("NORMAL, with the token") - cost("NORMAL, without"),
      goal: null,
      n: count,
      seed,
    }),
  ];
}
