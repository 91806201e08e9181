/** What is in the repository and on no receipt: whether an entry about it waits, and whether a shim could have left one. */
import { originFinder } from "../backoffice/origin.ts";
import { followedRefs } from "../backoffice/settle.ts";
import { type ByteString, displayText } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import { covers } from "../core/hook.ts";
import { typed } from "../core/shell-word.ts";
import { PUSH_RECEIVER, WORK_RECEIVERS } from "../shim/install.ts";
import { readSpool } from "../spool/drain.ts";
import { namespacedRef } from "../spool/entry.ts";
import { listHooks } from "../store/hook.ts";
import { hooksFolders } from "../store/repository.ts";
import { ledgerValue } from "../store/why.ts";
import { identifyGit } from "../vcs/git.ts";
import { examineFolder } from "./doctor/hooks-folder.ts";
import { foldersOf as placesOf } from "./gitolite.ts";
import { homeSettings } from "./open.ts";
import { type Asking, call, clock, mend, type Step, step } from "./why-step.ts";
import { oldStep, waitsForBackoffice } from "./why-way.ts";

/** A ref with the value that the repository has; null: none. */
export type Real = { ref: ByteString; value: string | null };

/** Why what these refs are at is on no receipt. `subject` is what was asked about. */
export async function unseenSteps(asking: Asking, subject: string, refs: readonly Real[]): Promise<Step[]> {
  const { home, row } = asking;
  const followed = followedRefs({ settings: homeSettings(home) }, row);
  const seen = refs.filter(({ ref }) => followed === "all" || /^refs\/(heads|tags|notes)\//.test(ref));
  const [first] = seen;
  if (first === undefined) {
    const names = refs.map(({ ref }) => displayText(ref)).join(", ");
    const says = `${subject} is at ${names}, and only branches, tags and notes are followed here`;
    return [step("repository", "stopped", says, { mend: mend("Follow all", call(asking, "settings refs all")) })];
  }
  const moved = seen.find(({ ref, value }) => ledgerValue(home.db, row.id, ref) !== value);
  if (moved === undefined) return [oldStep(asking, subject)];
  const entry = waitingEntry(asking, moved);
  const to = `${displayText(moved.ref)} of ${row.name}`;
  const gone = moved.value === null; // then it is the ref itself that was asked about
  if (entry !== null) {
    const how = gone ? `${to} was deleted` : `${subject} reached ${to}`;
    const says = `${how} at ${clock(entry, asking.now)}; what the shim left waits in the spool for the backoffice`;
    return [{ ...waitsForBackoffice(asking, says), step: "spool" }];
  }
  const how = gone ? `${to} was deleted` : `${subject} is at ${to}`;
  const says = `${how}, no shim has told of it, and no pass has seen it yet: the next one finds it`;
  return [...(await shimSteps(asking)), { ...waitsForBackoffice(asking, says), step: "spool" }];
}

/** When the entry came that tells of that move; null where none waits. */
function waitingEntry({ home, row, now }: Asking, { ref, value }: Real): number | null {
  const find = originFinder(home);
  const { entries } = readSpool(home.layout.spool, now, new Map());
  const one = entries.find(
    ({ entry }) =>
      find(entry.dir) === row.id &&
      (entry.kind === "work" ||
        entry.updates.some(
          (update) =>
            namespacedRef(entry.namespace, update.ref) === ref &&
            (value === null ? /^0+$/.test(update.new) : update.new === value),
        )),
  );
  return one?.at ?? null;
}

/** What is wrong with the receive shim in the hooks folders that git uses; empty where all is well. */
export async function shimSteps(asking: Asking): Promise<Step[]> {
  const { home, row } = asking;
  if (row.folders !== null && hooksFolders(row).every(({ use }) => use === "left")) {
    const again = mend("Take it in again", `gatepost init ${typed(row.workTree ?? row.path)}`);
    return [step("shim", "stopped", `${row.name} was taken out, so no shim tells of what arrives`, { mend: again })];
  }
  const heard = listHooks(home.db).some(({ type, scope }) => type === "after-receive" && covers(scope, row));
  const receivers = row.workTree !== null && heard ? [PUSH_RECEIVER, ...WORK_RECEIVERS] : [PUSH_RECEIVER];
  const folders = await foldersOf(asking);
  return folders
    .flatMap((folder) => examineFolder(folder, { gates: null, receivers, known: true }, true))
    .filter(({ level, about }) => level !== "ok" && (receivers.includes(about) || about === "hooks folder"))
    .map(({ says, mend: command }) => {
      const how = command?.startsWith("gatepost doctor") ? call(asking, command.slice("gatepost ".length)) : command;
      return step("shim", "stopped", says.replace(/\.$/, ""), { mend: how === null ? null : mend("Mend it", how) });
    });
}

/** Those that git uses now; where git cannot say, those that were known last. */
async function foldersOf({ row }: Asking): ReturnType<typeof placesOf> {
  try {
    return await placesOf(await identifyGit(row.workTree ?? row.path));
  } catch (error) {
    if (!(error instanceof GatepostError)) throw error;
    return hooksFolders(row).flatMap(({ path, use }) => (use === "left" ? [] : [{ path, use }]));
  }
}
