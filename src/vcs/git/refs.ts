/**
 * Reading all refs. `for-each-ref` with fields that need no object: a ref whose object was pruned is reported like any
 * other, one that git cannot parse at all is left out, and neither fails the rest.
 */
import type { ByteString } from "../../core/bytes.ts";
import type { Refs } from "../repository.ts";
import { collect, gitFailure, startGit } from "./run.ts";

const PUBLIC = ["refs/heads/", "refs/tags/", "refs/notes/"];

/** Name and value of each ref, sorted by name. HEAD is none. Throws GP_NO_REPOSITORY when the repository is gone. */
export async function readRefs(gitDir: string, which: "all" | "public"): Promise<Refs> {
  // Neither a ref nor its value can hold a blank, so a line falls apart in one way only.
  const format = "--format=%(objectname) %(refname) %(symref)";
  const running = startGit(gitDir, ["for-each-ref", format, ...(which === "public" ? PUBLIC : [])]);
  const ending = await collect(running);
  if (ending.code !== 0) throw gitFailure(gitDir, "list the refs", ending);
  const refs = new Map<ByteString, string>();
  const text = ending.stdout.toString("latin1");
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const nameAt = text.indexOf(" ", at) + 1;
    const targetAt = text.indexOf(" ", nameAt) + 1;
    const target = text.slice(targetAt, end);
    refs.set(
      text.slice(nameAt, targetAt - 1) as ByteString,
      target === "" ? text.slice(at, nameAt - 1) : `ref:${target}`,
    );
    at = end + 1;
  }
  return refs;
}
