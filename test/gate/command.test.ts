/**
 * A hook's text in a gate is the same as under `sh -c`: exit code, what it prints, files and modes. Each text stands
 * between two neighbours, and may take in neither.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TEXTS, type Text } from "./command-texts.ts";
import { STAND_SHELLS, Stand } from "./stand.ts";

const NEIGHBOUR = "echo ran >>.git/neighbours";

/** Shells begin a complaint with their name or the script's, and a line of it. Which line it is differs in a gate. */
const complaint = (text: string): string =>
  text.replaceAll(/^(?:sh|\S*\/sh|\S*\/pre-commit|\S*\/gates\/before-commit)(?:: line \d+|: \d+)?: /gm, "sh: ").replaceAll(/line \d+/g, "line");

describe.each(STAND_SHELLS)("where /bin/sh is %s", (shell) => {
  let stand: Stand;
  beforeAll(() => {
    stand = new Stand(shell);
  });
  afterAll(() => stand.remove());

  function differences(one: Text): string[] {
    const { text, args, input } = typeof one === "string" ? { text: one, args: [], input: "" } : { args: [], input: "", ...one };
    stand.sweep();
    const plain = stand.plain(text, { args, input });
    const expected = { ...plain, stderr: complaint(plain.stderr), files: stand.files() };
    stand.sweep();
    stand.compile("before-commit", [{ command: text }]);
    const { code, stdout, stderr } = stand.ask("before-commit", { args, input });
    const [, own = "", ours = ""] = /^([\s\S]*?)((?:gatepost: (?:before-commit|The) .*\n)*)$/.exec(stderr) ?? [];
    const got = { code, stdout, stderr: complaint(own), files: stand.files() };
    const found: string[] = [];
    for (const key of ["code", "stdout", "stderr", "files"] as const) {
      const a = JSON.stringify(expected[key]);
      const b = JSON.stringify(got[key]);
      if (a !== b) found.push(`${JSON.stringify(text)} ${key}: plain ${a.slice(0, 200)} gate ${b.slice(0, 200)}`);
    }
    void ours;
    return found;
  }

  it.each(Object.keys(TEXTS))("%s are the same in a gate as under sh -c", (group) => {
    expect((TEXTS[group] ?? []).flatMap(differences)).toEqual([]);
  });
  void NEIGHBOUR;
});
