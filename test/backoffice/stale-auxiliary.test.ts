/** Which auxiliary files nobody needs: the janitor and doctor remove them, and nothing that somebody still reads. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { isStaleAuxiliary } from "../../src/backoffice/stale-auxiliary.ts";
import type { RunId } from "../../src/core/units.ts";
import { backdate } from "../helpers/served.ts";

const folder = fs.mkdtempSync(join(tmpdir(), "gatepost-aux-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));

function made(name: string): string {
  fs.writeFileSync(join(folder, name), "{}");
  return join(folder, name);
}

test("the files of a run are stale once it is over, with the one that names who runs it", () => {
  const isStale = isStaleAuxiliary([{ id: 7 as RunId, incarnation: "b" }]);
  expect(["b-7.json", "b-7.json.pid", "b-7.json.pid.new"].map(made).map(isStale)).toEqual([false, false, false]);
  expect(["a-7.json", "b-8.json", "b-70.json.pid"].map(made).map(isStale)).toEqual([true, true, true]);
});

test("the file of a trial is stale once the process that tries has ended, and not before", async () => {
  const isStale = isStaleAuxiliary([]);
  const trying = spawn("sleep", ["1000"]);
  const file = made(`test-${trying.pid}.json`);
  expect(isStale(file)).toBe(false);
  trying.kill("SIGKILL");
  await once(trying, "exit");
  expect(isStale(file)).toBe(true);
});

test("the file of a gate is stale when it is old, and what is not ours never", () => {
  const isStale = isStaleAuxiliary([]);
  const [young, old, other] = [made("gatepost-1.x"), made("gatepost-2.x"), made("notes.txt")];
  for (const file of [old, other]) backdate(file, 2 * 3_600_000);
  expect([young, old, other].map(isStale)).toEqual([false, true, false]);
});
