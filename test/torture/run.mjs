/**
 * Runs one torture by itself: `npm run torture:kill -- --count 10000 --seed 7`. Without options it does as much as the
 * test suite does, with a new seed, which it prints.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const [name = "", ...words] = process.argv.slice(2);
const file = `test/torture/${name}.test.ts`;
const given = {};
const names = readdirSync("test/torture").flatMap((entry) => /^(.+)\.test\.ts$/.exec(entry)?.[1] ?? []);
let wrong = null;
if (!names.includes(name))
  wrong = `${name === "" ? "Which torture?" : `There is no torture "${name}".`} There are: ${names.join(" ")}`;
for (let at = 0; at < words.length; at += 2) {
  const [flag, value] = [words[at], words[at + 1]];
  if (!["--count", "--seed"].includes(flag)) wrong ??= `"${flag}" is not an option; there are --count N and --seed N.`;
  else if (!/^[1-9]\d{0,9}$/.test(value ?? "")) wrong ??= `${flag} takes a whole number.`;
  else given[`TORTURE_${flag.slice(2).toUpperCase()}`] = value;
}
if (wrong !== null) {
  console.error(wrong);
  process.exit(2);
}
const { status } = spawnSync("npx", ["--no-install", "vitest", "run", "--project", "torture", file], {
  stdio: "inherit",
  env: { ...process.env, ...given },
});
process.exit(status ?? 1);
