/** What gates said of a commit, or of the push that was to bring it. */
import { displayText } from "../core/bytes.ts";
import { COMMIT_GATES, type Dated, vouchedFor } from "../core/ungated.ts";
import type { GateId } from "../core/units.ts";
import { type Gate, gateById } from "../store/gate.ts";
import { gatesFrom, gatesOfValue, gatesOnward, saidInGate } from "../store/why.ts";
import type { FoundCommit } from "../vcs/git/reaching.ts";
import { openGit } from "../vcs/git.ts";
import { type Asking, clock, labelOf, type Step, step } from "./why-step.ts";

/** Gates that are looked at around the time of a commit, and how long before its date they may have ended. */
const NEAR = 200;
const BEFORE = 2000;
/** Of which commits of the reflogs such a gate may be instead: those dated so many seconds from this one. */
const NEIGHBOURS = 5;

/**
 * The gates that judged this very commit while it was made, one line each; none where no record fits. Commits of one
 * author and second are told apart as in the list of what went round the gates (core/ungated.ts), by the reflogs' others:
 * a commit made with --no-verify must not get the record of the one before it.
 */
export async function commitGateSteps(asking: Asking, commit: FoundCommit): Promise<Step[]> {
  const { home, row } = asking;
  const from = gatesFrom(home.db, row.id, commit.committedAt * 1000 - BEFORE);
  const gates = read(asking, gatesOnward(home.db, row.id, from, NEAR)).filter(
    ({ type, verdict }) => verdict === "pass" && (type === "before-commit" || type === "commit-msg"),
  );
  const fits = (gate: Gate): boolean =>
    COMMIT_GATES.some((type) => vouchedFor([commit], [gate], () => null)[type].has(commit.hash));
  if (!gates.some(fits)) return [];
  const repository = openGit(row.path);
  const others = (await repository.reflogs()).reverse().map((entry) => entry.commit);
  const near = others.filter(({ committedAt }) => Math.abs(committedAt - commit.committedAt) <= NEIGHBOURS);
  const all = new Map<string, Dated>([...near, commit].map((one) => [one.hash, one]));
  const sorted = [...all.values()].sort((a, b) => a.committedAt - b.committedAt);
  const vouched = vouchedFor(sorted, gates, (hash) => repository.writtenAt(hash));
  return COMMIT_GATES.flatMap((type) => vouched[type].get(commit.hash) ?? []).map((gate) =>
    gateStep(asking, gate, "passed"),
  );
}

/** The gates that judged pushes to that value, the oldest first; no more than `most`. */
export const pushGateSteps = (asking: Asking, value: string, most = 5): Step[] =>
  read(
    asking,
    gatesOfValue(asking.home.db, value).map(({ id }) => id),
  )
    .slice(0, most)
    .reverse()
    .map((gate) => gateStep(asking, gate));

const read = ({ home, row }: Asking, ids: readonly GateId[]): Gate[] =>
  ids.flatMap((id) => gateById(home.db, id) ?? []).filter(({ repository }) => repository === row.id);

const VERDICTS = { pass: "passed", refused: "refused", broken: "broke", interrupted: "was interrupted" } as const;

function gateStep(asking: Asking, gate: Gate, verdict: string = VERDICTS[gate.verdict]): Step {
  const hooks = saidInGate(asking.home.db, gate.id).filter(
    ({ hook }) => asking.hook === null || hook === asking.hook.id,
  );
  const said = hooks
    .filter(({ hook, state }) => hook !== 0 || state !== "done")
    .map(({ hook, name, state, reason }) => {
      const label = hook > 0 ? labelOf({ id: hook, name }) : (name ?? "the gate");
      return `${label} ${state === "done" ? "ok" : `${state === "skipped" ? "skipped: " : ""}${reason ?? state}`}`;
    });
  const list = said.length === 0 ? "" : `: ${said.slice(0, 5).join("; ")}${said.length > 5 ? "; …" : ""}`;
  const why = gate.reason === null ? "" : ` (${displayText(gate.reason)})`;
  const says = `${gate.native} ${verdict}${why} at ${clock(gate.at, asking.now)}${list}`;
  return step("gate", gate.verdict === "pass" ? "ok" : "stopped", says, { gate: gate.id });
}
