/** Fossil repositories as `init` sees them. No shim is needed to hear of arrivals: the file itself tells. */
import { GatepostError } from "../core/errors.ts";
import { readList } from "../core/fossil-hook-list.ts";
import type { Instant } from "../core/units.ts";
import { dropWaiting } from "../store/receipt.ts";
import { noteLook, putHooksFolders, putWatermark, type RepositoryRow } from "../store/repository.ts";
import { identifyFossil, openFossil } from "../vcs/fossil.ts";
import type { Watermark } from "../vcs/repository.ts";
import { importable } from "./import/fossil.ts";
import type { Present, Subject } from "./subject.ts";

export async function fossilSubject(path: string): Promise<Subject> {
  const identity = await identifyFossil(path);
  const { file, inode, groupWritable, hookList } = identity;
  return {
    ...{ kind: "fossil", path: file, inode, workTree: null, objectFormat: null, bare: true, shared: groupWritable },
    read: (_, known) => readReceipts(file, known),
    readNothing: async () => {
      const watermark = await openFossil(file).positionAfter(0);
      const store: Present["store"] = ({ db }, id) =>
        void putWatermark(db, { id, watermark: JSON.stringify(watermark), embargo: null });
      return { count: 0, differs: false, store };
    },
    places:
      async () =>
      ({ db }, { id }) => {
        putHooksFolders(db, id, []); // no longer taken out, if it was
        return { chained: [], noShim: null, importable: importable({ elements: readList(hookList) }) };
      },
  };
}

async function readReceipts(file: string, known: RepositoryRow | null): Promise<Present> {
  const repository = openFossil(file);
  const fingerprint = repository.fingerprint(null, Date.now());
  const { watermark } = await repository.arrivals(null, []);
  const differs = known?.watermark != null && !(await continues(file, JSON.parse(known.watermark)));
  return {
    count: watermark.rcvid,
    differs,
    store: ({ db }, id) => {
      // What waits is known by numbers, which mean others in this file.
      if (differs) dropWaiting(db, { repository: id, cursor: known.cursor });
      putWatermark(db, { id, watermark: JSON.stringify(watermark), embargo: null });
      noteLook(db, { id, fingerprint: fingerprint.unsure ? null : fingerprint.text, now: Date.now() as Instant });
    },
  };
}

/** Whether the file goes on from what was read of it. */
async function continues(file: string, watermark: Watermark): Promise<boolean> {
  try {
    await openFossil(file).arrivals(watermark, []);
    return true;
  } catch (error) {
    if (error instanceof GatepostError && error.code === "GP_NO_REPOSITORY") return false;
    throw error;
  }
}
