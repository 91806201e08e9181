/** Login names of user ids. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

let names: Map<number, string> | null = null;

function readNames(): Map<number, string> {
  const found = new Map<number, string>();
  try {
    for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
      const [name, , uid] = line.split(":");
      if (name !== undefined && uid !== undefined && !found.has(Number(uid))) found.set(Number(uid), name);
    }
  } catch {} // no such file: names are a courtesy, numbers are the truth
  try {
    const self = userInfo();
    found.set(self.uid, self.username); // also where the name comes from a directory service
  } catch {}
  return found;
}

/** The login name of a user id; "uid 1001" where the system has none. */
export function userName(uid: number): string {
  names ??= readNames();
  return names.get(uid) ?? `uid ${uid}`;
}
