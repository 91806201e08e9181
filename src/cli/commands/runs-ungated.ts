/** `gatepost runs --ungated`: what went round the gates, as a table or JSON. */
import { type ByteString, displayText } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import type { Ungated, UngatedCommit, UngatedUpdate } from "../../home/ungated.ts";
import { paint, plain, print, printJson, say, table } from "../output.ts";
import type { Opened } from "../where.ts";
import { ago, counted, requireCount, requireInstant } from "../words.ts";

/** What `runs --help` says of it. */
export const UNGATED_HELP = `
--ungated lists, from the ledger, what went round the gates that existed at that time: commits on branches with no
passed before-commit or commit-msg gate of their own (--no-verify, cherry-pick, revert, rebase, am, hooks not installed
or shadowed), and in a bare repository refs that moved without a passed before-receive gate. Only commits made in this
clone are judged: their committer has moved a ref in it (by its reflogs), is named by git config, or made a commit that
passed; and no fetch brought them. How many were not judged is said. The exit code is 0 whatever is listed.`;

type Given = { since?: string; limit?: string; json?: boolean };
type Others = { failed?: boolean; parked?: boolean; refused?: boolean; follow?: boolean; hook?: string };

/** Lists what went round the gates. Options that choose among runs are refused: what did not run is no run. */
export async function printUngated({ home, repository }: Opened, given: Given & Others): Promise<void> {
  const other = (["failed", "parked", "refused", "follow", "hook"] as const).find((name) => given[name] !== undefined);
  if (other !== undefined)
    throw new GatepostError("GP_USAGE", `--ungated lists what did not run; --${other} is about runs.`, {
      hint: "With --ungated: --since, --limit, --json, -R, --home.",
    });
  const { listUngated } = await import("../../home/ungated.ts");
  const now = Date.now();
  const since = given.since === undefined ? null : requireInstant(given.since, "--since", now);
  const ungated = await listUngated(home, {
    repository,
    since,
    limit: requireCount(given.limit ?? "20", "--limit", 1),
  });
  if (given.json) return printJson(toJson(ungated));
  if (ungated.lines.length > 0)
    print(
      table(
        HEADINGS,
        ungated.lines.map((line) => cells(line, now)),
      ),
    );
  else say("Nothing went round the gates, as far as the ledger tells.");
  remarks(ungated, home.dir);
}

const HEADINGS = ["WHAT", "WHEN", "REPOSITORY", "WHO", "REF", "SUBJECT", "WHY"] as const;

function cells(line: UngatedCommit | UngatedUpdate, now: number): string[] {
  const common = [ago(line.at, now), plain(line.repository)];
  if (line.kind === "commit")
    return [
      line.commit.slice(0, 10),
      ...common,
      `${displayText(line.author.name)} <${displayText(line.author.email)}>`,
      shortRef(line.branch),
      cut(displayText(line.subject)),
      paint("yellow", whyOf(line)),
    ];
  return [
    `receipt ${line.receipt}`,
    ...common,
    line.user === null ? "unknown" : displayText(line.user),
    shortRef(line.ref),
    moveOf(line),
    paint("yellow", whyOf(line)),
  ];
}

const shortRef = (ref: ByteString): string => displayText(ref.replace(/^refs\/(heads|tags)\//, "") as ByteString);
const cut = (text: string): string => (text.length > 50 ? `${text.slice(0, 49)}…` : text);
const isNone = (value: string): boolean => /^0+$/.test(value);
const shortValue = (value: string): string => (value.startsWith("ref:") ? value : value.slice(0, 10));

function moveOf({ old, new: value }: UngatedUpdate): string {
  if (isNone(value)) return `${shortValue(old)}.. deleted`;
  return isNone(old) ? `new ${shortValue(value)}` : `${shortValue(old)}..${shortValue(value)}`;
}

/** "no before-commit run", "no before-commit run, no commit-msg run". */
function whyOf(line: UngatedCommit | UngatedUpdate): string {
  const missing = line.kind === "commit" ? line.missing : ["before-receive"];
  return missing.map((type) => `no ${type} run`).join(", ");
}

/** What else a reader should know of the list. */
function remarks({ lines, total, notJudged, moved, unreadable }: Ungated, dir: string): void {
  if (total > lines.length) say(`${total - lines.length} more: --limit ${total}`);
  if (notJudged > 0)
    say(
      `${counted(notJudged, "commit")} by others or made elsewhere ${notJudged === 1 ? "was" : "were"} not judged here.`,
    );
  for (const { repository, why } of unreadable) say(`${plain(repository)} could not be read: ${plain(why)}`);
  if (moved > 0)
    say(
      `${counted(moved, "ref")} ${moved === 1 ? "has" : "have"} moved since the last pass: gatepost backoffice --home ${plain(dir)}`,
    );
}

const toJson = ({ lines, ...rest }: Ungated) => ({ ungated: lines.map(lineToJson), ...rest });

function lineToJson(line: UngatedCommit | UngatedUpdate) {
  const { kind, repository, receipt } = line;
  const common = { kind, repository, receipt, at: new Date(line.at), why: whyOf(line) };
  if (line.kind === "commit")
    return {
      ...common,
      commit: line.commit,
      author: { name: displayText(line.author.name), email: displayText(line.author.email) },
      branch: displayText(line.branch),
      subject: displayText(line.subject),
      missing: line.missing,
    };
  return {
    ...common,
    ref: displayText(line.ref),
    old: line.old,
    new: line.new,
    user: line.user === null ? null : displayText(line.user),
    source: line.source,
    missing: ["before-receive"],
  };
}
