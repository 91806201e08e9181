/** Having fossil itself undo, or take over, what a writer that died left beside a repository. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../../process/command.ts";

const LONGEST = 120_000;

/** Lets the fossil program open the repository for writing and read one setting, upon which SQLite sorts out the
 *  leftovers, with its own locks. For the file's owner only. Returns null, or why it could not be done. */
export async function letFossilFinish(file: string): Promise<string | null> {
  const own = mkdtempSync(join(tmpdir(), "gatepost-fossil-")); // else fossil makes a database in the user's home
  try {
    const ending = await capture("fossil", ["hook", "status", "-R", file], {
      cwd: "/",
      env: { PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin", FOSSIL_HOME: own, USER: "gatepost" },
      timeout: LONGEST,
    });
    if (ending.code === 0) return null;
    return ending.stderr.trim().split("\n")[0] || `it ended with ${ending.code ?? ending.signal}`;
  } catch (error) {
    return (error as Error).message.replace(/\.$/, "");
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
