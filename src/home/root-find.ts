/** Which home follows the root that a path is below. */
import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { layout } from "../core/layout.ts";
import { lookInto, write } from "../store/database.ts";
import { listRoots, putSeen } from "../store/root.ts";
import { lookAt, type OpenHome } from "./open.ts";
import { isRegistered, readRegister } from "./register.ts";
import { isBelow, NOTHING_SEEN, type Seen, stampOfItself } from "./root-walk.ts";

/** The name of the home that `init --root` makes in its root. */
export const ROOT_HOME = ".gatepost";

/** The home in this user's register that follows a root with `place` below it, or the root `place`; null where none does. */
export function followerOf(place: string): string | null {
  const registered = readRegister();
  const above = registered.filter(({ path }) => basename(path) === ROOT_HOME && isBelow(place, dirname(path)));
  // Homes that stand in or beside one repository follow nothing; there may be a thousand of them.
  const elsewhere = registered.filter(({ path }) => !/^gatepost$|\.gatepost$/.test(basename(path)));
  const at = registered.filter(({ path }) => path === join(place, ROOT_HOME));
  for (const { id, path } of [...at, ...above, ...elsewhere]) if (follows(id, path, place)) return path;
  return null;
}

function follows(id: string, dir: string, place: string): boolean {
  try {
    if (lookAt(layout(dir).database)?.uid !== process.geteuid?.() || !isRegistered({ id, path: dir })) return false;
    return lookInto(layout(dir).database, listRoots).some(({ path }) => path === place || isBelow(place, path));
  } catch {
    return false; // a home that cannot be opened serves nobody new
  }
}

/** What a pass has seen below a root, as it is stored. */
export const seenOf = (text: string | null): Seen => (text === null ? NOTHING_SEEN : (JSON.parse(text) as Seen));

/** Has no pass register what stands at `place`: somebody took it out on purpose. */
export const leaveOut = (home: OpenHome, place: string): void =>
  change(home, place, (name, passed) => {
    passed[name] = { stamp: stampOfItself(place), says: "it was taken out by gatepost uninstall" };
  });

/** Forgets why what stands at `place` was passed over. */
export const takeBack = (home: OpenHome, place: string): void =>
  change(home, place, (name, passed) => delete passed[name]);

function change(
  home: OpenHome,
  place: string,
  edit: (name: string, passed: Record<string, Seen["passed"][""]>) => void,
) {
  if (listRoots(home.db).every(({ path }) => !isBelow(place, path))) return;
  write(home.db, () => {
    for (const { path, seen } of listRoots(home.db)) {
      if (!isBelow(place, path)) continue;
      const { folders, passed } = seenOf(seen);
      const edited: Record<string, Seen["passed"][""]> = Object.assign(Object.create(null), passed); // one may be __proto__
      edit(place.slice(path === "/" ? 1 : path.length + 1), edited);
      putSeen(home.db, { path, seen: JSON.stringify({ folders, passed: edited }) });
    }
  });
}

/** A folder as a root is stored; null where there is none. */
export function rootPath(dir: string): string | null {
  try {
    return realpathSync(dir);
  } catch {
    return null;
  }
}
