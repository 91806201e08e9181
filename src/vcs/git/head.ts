/** The commit that HEAD names, as if it had just arrived: what a dry run shows before anything was received. */
import type { ByteString } from "../../core/bytes.ts";
import type { RefRange } from "../repository.ts";
import { collect, startGit } from "./run.ts";

/** HEAD's commit as a move of its branch from its parents; null in a repository without commits. */
export async function headRange(gitDir: string): Promise<RefRange | null> {
  const [branch, commit] = await Promise.all(
    [
      ["symbolic-ref", "--quiet", "HEAD"],
      ["rev-list", "--parents", "--max-count=1", "HEAD"],
    ].map((args) => collect(startGit(gitDir, args))),
  );
  if (commit?.code !== 0) return null;
  const [hash = "", ...parents] = commit.stdout.toString("latin1").trim().split(" ");
  const ref = (branch?.stdout.toString("latin1").replace(/\n$/, "") || "HEAD") as ByteString;
  return { moves: [{ ref, old: parents[0] ?? "0".repeat(hash.length), new: hash }], base: parents };
}
