/** Shims as another version of Gatepost would have written them. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";

/** Changes the text of a shim and puts the sum of what it is then into its second line, as its maker does. */
export function rewriteSealed(file: string, change: (text: string) => string): void {
  const [first, mark = "", ...rest] = fs.readFileSync(file, "latin1").split("\n");
  const place = mark.replace(/[0-9a-f]{16}$/, "@SUM@");
  if (place === mark) throw new Error(`no sum in ${file}`);
  const text = change([first, place, ...rest].join("\n"));
  const sum = createHash("sha256").update(text, "latin1").digest("hex").slice(0, 16);
  fs.writeFileSync(file, text.replace("@SUM@", sum), "latin1");
}

/** Takes the sum out again, as the version before left shims. */
export function unseal(file: string): void {
  const text = fs.readFileSync(file, "latin1");
  fs.writeFileSync(file, text.replace(/^(# gatepost shim 1(?: gate)?) [0-9a-f]{16}$/m, "$1"), "latin1");
}
