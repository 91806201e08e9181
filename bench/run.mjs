/**
 * Measures what README claims: `npm run bench` for all of it, `npm run bench -- push idle` for the files whose names
 * begin with these words. `--seed N` repeats the order of the rounds, `--quick` makes fewer rounds, for trying out.
 *
 * Each file prints a table and one line of JSON for each claim. A goal that is missed is said, and fails nothing: on a
 * machine that does other things besides, wall times say little, and only ratios taken side by side and CPU times hold.
 */
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release } from "node:os";
import { digits } from "./lib/figures.mjs";
import { table } from "./lib/report.mjs";

const words = process.argv.slice(2);
const take = (flag) => {
  const at = words.indexOf(flag);
  return at === -1 ? undefined : words.splice(at, 2)[1];
};
const seed = Number(take("--seed") ?? Math.floor(Math.random() * 1e6));
const quick = words.includes("--quick");
const wanted = words.filter((word) => !word.startsWith("--"));
const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".mjs") && file !== "run.mjs")
  .map((file) => file.slice(0, -4));
const unknown = wanted.find((word) => !known.some((name) => name.startsWith(word)));
if (unknown !== undefined || !Number.isInteger(seed)) {
  console.error(`There is no benchmark "${unknown ?? "seed"}". There are: ${known.join(" ")}`);
  process.exit(2);
}
if (!existsSync(new URL("../dist/cli/main.js", import.meta.url))) {
  console.error("This checkout is not built yet.\nBuild it with: npm run build");
  process.exit(70);
}

// The functions that are imported from dist read the environment of this process.
delete process.env.NODE_EXTRA_CA_CERTS;
for (const name of Object.keys(process.env)) if (/^(GIT_|GATEPOST)/.test(name)) delete process.env[name];

// Ends by way of `exit`, where daemons are ended and temporary folders removed.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const load = () => loadavg()[0].toFixed(1);
console.log(
  `node ${process.versions.node}, Linux ${release()}, ${availableParallelism()} × ${cpus()[0]?.model ?? "?"}, load ${load()}, seed ${seed}`,
);
const results = [];
for (const name of known) {
  if (wanted.length > 0 && !wanted.some((word) => name.startsWith(word))) continue;
  const { title, measure } = await import(`./${name}.mjs`);
  console.log(`\n${name}: ${title}`);
  try {
    results.push(...(await measure({ seed, quick })));
  } catch (error) {
    console.error(`  failed: ${error.stack}`);
    results.push({ claim: name, figure: null, goal: null, met: null, skipped: "failed" });
  }
}

console.log(`\nSummary (load ${load()})`);
table(
  ["claim", "figure", "goal", "met"],
  results.map(({ claim, figure, goal, met, skipped, atLeast }) => [
    claim,
    figure === null ? `- (${skipped})` : digits(figure),
    goal === null ? "stated" : `${atLeast ? "≥" : "≤"} ${digits(goal)}`,
    met === null ? "" : met ? "yes" : "NO",
  ]),
);
process.exit(0); // whatever a library may still hold open
