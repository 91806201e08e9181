/** `gatepost init --root`: everything below a folder, now and later. */
import { EXIT, GatepostError } from "../../core/errors.ts";
import { typed } from "../../core/shell-word.ts";
import { plain, print, printJson, progressLine, say } from "../output.ts";
import { sayEdited } from "../where.ts";

/** So many are named one by one. */
const NAMED = 20;

const repositories = (count: number): string =>
  count === 1 ? "1 repository" : `${count.toLocaleString("en")} repositories`;

/** Registers what is below the root and says so; returns the home. What was passed over is an exit code, but keeps nothing
 *  from being done. */
export async function initRoot(
  paths: readonly string[],
  root: string,
  options: { home?: string; json?: boolean },
): Promise<string> {
  if (paths.length > 0)
    throw new GatepostError("GP_USAGE", "--root stands for all that is below it; no PATH can stand beside it.", {
      hint: `Either gatepost init --root ${typed(root)}, or gatepost init PATH…`,
    });
  const { resolve } = await import("node:path");
  const { requireGiven } = await import("../../home/locate.ts");
  const { initRoot: register } = await import("../../home/root.ts");
  requireGiven(options.home);
  const line = progressLine();
  const home = options.home === undefined ? null : resolve(options.home);
  const result = await register(root, home, (done, of) => line.show(`registering: ${done} of ${of}`)).finally(
    line.clear,
  );
  const { done, known, renamed, passed } = result;
  for (const { edited } of done) sayEdited(edited);
  if (options.json === true)
    printJson({
      root: result.root,
      home: { path: result.home, how: result.how },
      registered: done.map(({ repository, known, refs, chained, noShim }) => ({
        repository: { id: repository.id, name: repository.name, kind: repository.kind, path: repository.path },
        ...{ known, refs, chained, noShim },
      })),
      unchanged: known,
      renamed,
      passed,
    });
  else {
    for (const { repository, known } of done.length > NAMED ? [] : done)
      print(plain(`${repository.name}: ${known ? "put in order" : "registered"}`));
    const before = known > 0 ? `, ${known} were already` : "";
    print(plain(`${result.root}: ${repositories(done.length)} registered${before}, home ${result.home}`));
    if (renamed > 0) print(`${repositories(renamed)} that had other names are called by their path below it now.`);
    for (const note of new Set(done.flatMap(({ notes }) => notes ?? []))) print(plain(note));
    const chained = done.filter((one) => one.chained.length > 0).length;
    if (chained > 0) print(`Existing hooks keep running, in ${repositories(chained)}.`);
  }
  const closed = done.flatMap(({ repository, noShim }) =>
    noShim === null ? [] : [{ says: `${repository.name}: no shim was put in place: ${noShim}.`, hint: null }],
  );
  const all = [...passed, ...closed];
  for (const { says, hint } of all.slice(0, NAMED)) say(`Mind: ${plain(hint === null ? says : `${says} ${hint}`)}`);
  if (all.length > NAMED) say(`Mind: and ${all.length - NAMED} more; all of them: gatepost init --root … --json`);
  if (passed.length > 0) process.exitCode = EXIT.refused;
  if (options.json !== true && done.some(({ known }) => !known))
    say(plain(`Next: gatepost hook add --home ${typed(result.home)} --all --type after-receive --command '…'`));
  return result.home;
}
