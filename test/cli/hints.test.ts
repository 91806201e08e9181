/** What the program tells people to type: every call of gatepost in its texts is one that there is. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { callsOn, wrongWith } from "../helpers/shown-calls.ts";

const source = fileURLToPath(new URL("../../src/", import.meta.url));
const program = buildProgram();
const names = new Set(program.commands.map((command) => command.name()));

/** The calls in a text of the source, up to the end of the line or sentence. What is put in stands for one word; headings
 *  that begin with "#" are none. */
const callsIn = (text: string): string[] =>
  [...text.replace(/\$\{[^{}]*\}/g, "X").matchAll(/(# )?\b(gatepost [a-z][^`"\n\\]*)/g)]
    .filter(([, heading]) => heading === undefined)
    .map(([, , call = ""]) => call.replace(/[.,;:)](?:\s.*)?$/, ""))
    .filter((call) => names.has(call.split(" ")[1] ?? ""));

const wrongIn = (text: string): string[] =>
  callsIn(text).flatMap((line) =>
    callsOn(line).flatMap((words) => {
      const wrong = words.slice(1, 2).some((word) => /^(?:X|…)/.test(word)) ? null : wrongWith(program, words);
      return wrong === null ? [] : [`${line}: ${wrong}`];
    }),
  );

it("notices a call that there is not", () => {
  expect(wrongIn("`is switched off: gatepost hook show ${hook}`")).toHaveLength(1);
  expect(wrongIn('hint: "Add it: gatepost hook add --nothing x. Or not."')).toHaveLength(1);
  expect(wrongIn('hint: "The hooks there are: gatepost hook list. Or: gatepost status"')).toEqual([]);
});

it("every call of gatepost that a text of the program names can be typed", () => {
  const files = (readdirSync(source, { recursive: true }) as string[]).filter((file) => /\.(?:ts|sh)$/.test(file));
  const found = files.map((file) => callsIn(readFileSync(source + file, "utf8")).length);
  expect(found.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200);
  const wrong = files.flatMap((file) => wrongIn(readFileSync(source + file, "utf8")).map((one) => `${file}: ${one}`));
  expect(wrong).toEqual([]);
});
