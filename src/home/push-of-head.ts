/** The push that `git push` would make now: HEAD's branch to its upstream. */
import type { ByteString } from "../core/bytes.ts";
import { toBuffer } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Call } from "../gate/ask.ts";
import type { RepositoryRow } from "../store/repository.ts";
import { collect, startGit } from "../vcs/git/run.ts";
import type { GitRepository } from "../vcs/repository.ts";
import { gitAt, type TrialPlace } from "./try-place.ts";

/** Arguments and stdin of pre-push. A branch without an upstream counts as new at the remote `origin`. */
export async function pushOfHead(
  row: RepositoryRow,
  place: TrialPlace,
  repository: GitRepository,
): Promise<Pick<Call, "args" | "stdin">> {
  if (!("branch" in place.head) || place.commit === null)
    throw new GatepostError("GP_USAGE", "HEAD is on no branch with a commit, so there is no push to try the hook on.", {
      hint: "Switch to a branch first: git switch NAME",
    });
  const { branch } = place.head;
  const format = "--format=%(upstream:remotename)%00%(upstream:remoteref)%00%(upstream)";
  const asked = await collect(startGit(place.own, ["for-each-ref", format, branch]));
  const [remote = "", remoteRef = "", tracking = ""] =
    asked.stdout.toString("latin1").split("\n")[0]?.split("\0") ?? [];
  const name = remote || "origin";
  const url = await gitAt(place.root ?? row.path, [
    "remote",
    "get-url",
    "--push",
    "--",
    Buffer.from(name, "latin1").toString("utf8"),
  ]);
  if (url.code !== 0)
    throw new GatepostError("GP_USAGE", "HEAD's branch has no upstream, so there is no push to try the hook on.", {
      hint: "Give it one: git push -u origin HEAD",
    });
  const there = (await repository.readRefs("all")).get(tracking as ByteString) ?? "0".repeat(place.commit.length);
  const line = `${branch} ${place.commit} ${remoteRef || branch} ${there}\n` as ByteString;
  return {
    args: [name as ByteString, url.stdout.toString("latin1").replace(/\n$/, "") as ByteString],
    stdin: toBuffer(line),
  };
}
