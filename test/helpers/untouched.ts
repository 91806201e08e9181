/** Whether a repository is as it was, to the byte. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Every entry below a folder: mode, number, time and content. Left out are the times of objects, which git renews
 *  when somebody stores them again, and of the home's own folder, where SQLite keeps files while a database is open. */
export function everything(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const path = join(folder, name);
    const stat = lstatSync(path);
    if (/(^|\/)objects(\/|$)/.test(name)) return name;
    if (/(^|\/)gatepost$/.test(name) && stat.isDirectory()) return name;
    const content = stat.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
    const target = stat.isSymbolicLink() ? readlinkSync(path) : "";
    return `${name} ${stat.mode} ${stat.ino} ${stat.mtimeMs} ${content}${target}`;
  });
}
