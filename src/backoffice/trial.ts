/** One attempt in the making, and what people call its run. */
import type { Hook } from "../core/hook.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Run } from "../store/run.ts";
import type { HomeContext } from "./context.ts";
import type { ListingNote } from "./hook-input.ts";
import type { Material } from "./material.ts";

/** What an attempt is made with. */
export type Trial = {
  ctx: HomeContext;
  token: number;
  row: RepositoryRow;
  run: Run;
  hook: Hook;
  material: Material;
  number: number;
  note: ListingNote;
  signal: AbortSignal;
};

export const runName = (run: Pick<Run, "incarnation" | "id">): string => `${run.incarnation}-${run.id}`;
