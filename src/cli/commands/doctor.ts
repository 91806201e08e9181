/** `gatepost doctor`: what really runs, and what is wrong. */
import type { Command } from "commander";
import type { Examined, Finding, Level } from "../../home/doctor.ts";
import { paint, plain, print, printJson, say } from "../output.ts";
import { addWhere, sayEdited, type Where } from "../where.ts";
import { counted } from "../words.ts";

type Options = Where & { fix?: boolean; json?: boolean; verbose?: boolean };

export function registerDoctor(program: Command): void {
  addWhere(program.command("doctor").description("say what really runs at each of Git's hooks, and what is wrong"))
    .option("--fix", "mend what can be mended")
    .option("-v, --verbose", "list what is well, too")
    .option("--json", "print the findings as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost doctor                              the repository of the current folder, and its home
  gatepost doctor --fix --home /srv/.gatepost  all repositories of a home

Exit code 0: nothing is wrong, or all of it was mended; 1: something is.`,
    )
    .action(run);
}

async function run(given: Options): Promise<void> {
  const { doctor } = await import("../../home/doctor.ts");
  const { repository, home, fix = false } = given;
  const diagnosis = await doctor({ repository, home, cwd: process.cwd(), fix });
  const findings = diagnosis.examined.flatMap((one) => one.findings);
  process.exitCode = findings.some(({ level }) => level !== "ok") ? 1 : 0;
  if (given.json) return printJson(diagnosis);
  sayEdited(diagnosis.edited);
  const single = diagnosis.examined.filter(({ kind }) => kind === "repository").length === 1;
  const shown = single && home === undefined ? [together(diagnosis.examined)] : diagnosis.examined;
  let well = 0;
  for (const one of shown) {
    const mended = diagnosis.mended.filter(({ name }) => shown.length === 1 || name === one.name);
    const ill = one.findings.filter(({ level }) => level !== "ok");
    if (shown.length > 3 && ill.length === 0 && mended.length === 0 && !given.verbose) {
      well += 1;
      continue;
    }
    print(plain(one.name));
    show(one.findings, given.verbose === true);
    for (const { says } of mended) print(`  ${paint("green", "fixed")} ${plain(says)}`);
    for (const finding of ill) print(line(finding));
  }
  if (well > 0) print(`${counted(well, "other")} in order`);
  for (const text of diagnosis.trouble) say(`gatepost: ${plain(text)}`);
}

/** What is well comes first: in one line, or with `all` one by one. */
function show(findings: readonly Finding[], all: boolean): void {
  const well = findings.filter(({ level }) => level === "ok");
  if (all) for (const finding of well) print(line(finding));
  else {
    const promises = well.filter(({ about }) => about === "promises");
    const checks = well.length - promises.length;
    if (checks > 0) print(`  ${word("ok")} ${counted(checks, "check")}`);
    for (const finding of promises) print(line(finding));
  }
}

/** One repository and its home, in one list. */
const together = (examined: readonly Examined[]): Examined => ({
  ...(examined.find(({ kind }) => kind === "repository") as Examined),
  findings: examined.flatMap(({ findings }) => findings),
});

const WORDS: Record<Level, [string, "green" | "yellow" | "red"]> = {
  ok: ["ok   ", "green"],
  warn: ["WARN ", "yellow"],
  fail: ["FAIL ", "red"],
};
const word = (level: Level): string => paint(WORDS[level][1], WORDS[level][0]);
const line = ({ level, says, mend }: Finding): string =>
  `  ${word(level)} ${plain(says)}${mend === null ? "" : `${/[.!?]$/.test(says) ? "" : "."} Mend: ${plain(mend)}`}`;
