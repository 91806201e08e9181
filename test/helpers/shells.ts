/** Real shells that say what a command's words are. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "vitest";

/** What may be /bin/sh, and bash as people paste into it. */
export const SHELLS: [string, ...string[]][] = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]];

/** A text, and the values of GATEPOST_REPOSITORY, GATEPOST_AUX and of the marker (see `shellOutputs`) for it. */
export type Trial = { text: string; repository: string; auxiliary?: string; marker?: string };

const PROGRAM = `
p() { for w; do printf '%s\\0' "$w"; done; }
q() {
  for w; do
    o=
    while :; do case $w in *"$Q"*) o="$o\${w%%"$Q"*}@"; w=\${w#*"$Q"};; *) break;; esac; done
    printf '<%s>' "$o$w"
  done
}
v=value f='v w'; unset x
while [ $# -gt 0 ]; do
  (
    export GATEPOST_PROGRAM=/usr/bin/gatepost GATEPOST_REPOSITORY="$2" GATEPOST_AUX="$3"
    Q=$4 f="$2/tail" text=$1
    set -- one two
    eval "$text"
  ) </dev/null 2>/dev/null
  printf '\\0\\1\\0'
  shift 4
done`;

/** Evaluates every text in a subshell of one shell process, with the three variables exported, and returns what each
 *  printed. `p` prints its words, each closed by a NUL; `q` prints `<word>`, with the marker shown as `@`. `x` is
 *  unset, `v` is "value", `f` the repository and "/tail". Fails when a file appears in the folder they run in. */
export function shellOutputs(shell: readonly string[], trials: readonly Trial[]): string[] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gatepost-substitute-"));
  try {
    const [file = "sh", ...flags] = shell;
    const args = trials.flatMap((one) => [one.text, one.repository, one.auxiliary ?? "", one.marker ?? "none"]);
    const result = spawnSync(file, [...flags, "-c", PROGRAM, "sh", ...args], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: "/nowhere", LC_ALL: "C.UTF-8" },
      maxBuffer: 1 << 28,
    });
    expect(result.status, `${shell.join(" ")}: ${result.stderr}`).toBe(0);
    expect(fs.readdirSync(folder), "no value was run as a command").toEqual([]);
    const printed = result.stdout.toString("utf8").split("\0\u0001\0").slice(0, -1);
    expect(printed).toHaveLength(trials.length);
    return printed;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
