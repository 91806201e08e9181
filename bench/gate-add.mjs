/** How long `hook add --all` takes until the gates of 1,000 repositories of a home are compiled and their shims stand. */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { timed } from "./lib/account.mjs";
import { digits, median } from "./lib/figures.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, progress, table } from "./lib/report.mjs";
import { makeMany } from "./lib/repositories.mjs";

export const title = "hook add to compiled gates in place, 1,000 repositories in a home";

export async function measure({ quick }) {
  const place = makePlace();
  const size = quick ? 100 : 1000;
  const paths = makeMany(place, place.path("many"), size);
  const home = place.path("home");
  mkdirSync(home);
  for (let at = 0; at < size; at += 50) {
    progress(`registering: ${at} of ${size}`);
    place.gatepost("init", "--home", home, ...paths.slice(at, at + 50));
  }
  const call = (...args) =>
    timed([process.execPath, program, "hook", ...args, "--home", home], { env: place.env }).wall / 1000;
  const added = [];
  const edited = [];
  const deleted = [];
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    added.push(call("add", "--all", "--name", "gate", "--type", "before-receive", "--command", "true"));
    const missing = paths.filter((path) => !existsSync(join(path, "hooks", "pre-receive")));
    if (missing.length > 0 || readdirSync(join(home, "gates")).length !== size) throw new Error("not all gates stand");
    edited.push(call("edit", "gate", "--command", "exit 0"));
    deleted.push(call("delete", "gate"));
  }
  place.remove();
  const rows = Object.entries({ "hook add": added, "hook edit": edited, "hook delete": deleted });
  table(
    [`${size} repositories`, "s"],
    rows.map(([name, times]) => [name, digits(median(times))]),
  );
  return [
    claim({ claim: "hook add --all, 1,000 repositories, seconds", figure: median(added), goal: 2, n: added.length }),
  ];
}
