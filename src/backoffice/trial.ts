/** One attempt in the making, and what people call its run. */
import type { Hook } from "../core/hook.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { EventRun, Run } from "../store/run.ts";
import type { HomeContext } from "./context.ts";
import type { ListingNote } from "./hook-input.ts";
import type { Material } from "./material.ts";

/** What an attempt is made with. */
export type Attempting = {
  ctx: HomeContext;
  token: number;
  row: RepositoryRow;
  run: Run | EventRun;
  hook: Hook;
  number: number;
  note: ListingNote;
  signal: AbortSignal;
};

/** The same of a run on a batch. */
export type Trial = Attempting & { run: Run; material: Material };

export const runName = (run: Pick<Run | EventRun, "incarnation" | "id">): string => `${run.incarnation}-${run.id}`;
