/**
 * Compiles the hooks of one type into the file that a gate reads: see src/shim/runtime/gate.sh for who reads it.
 *
 * The file holds the parts of the runtime that these hooks need, then each hook in order: a condition of ours decides
 * whether it runs, its command stands in a subshell of its own, its exit status goes to _gatepost_end. The last line
 * names how many hooks there are, and is the only one that can make the verdict pass. The file ends with a quote and
 * without a newline, so that it cannot lose even its last byte and still be read.
 *
 * Nothing of the repository is in it, so that it goes along when the repository is moved. The text of a hook is in it
 * as src/gate/command.ts decides; every other word that came from outside is in single quotes.
 *
 * Neighbours marked --parallel are the members of one pipeline, with stdin, stdout and stderr of each redirected.
 *
 * Gates of Fossil repositories differ in the parts they take, and in that sh itself compares paths, for which fossil has no
 * command: a pathspec is a pattern of `case` there. Where it cannot be one, the hook runs at each commit, and one that
 * would read the paths breaks the gate; whoever adds it is told.
 *
 * Proven by test/gate/compile.test.ts and test/e2e/gate-*.test.ts.
 */
import type { Hook } from "../core/hook.ts";
import { isServerType, type Kind } from "../core/hook-type.ts";
import { quoted } from "../core/shell-word.ts";
import { places, substitute, VARIABLES } from "../core/substitute.ts";
import { bodyOf, isPlainCall } from "./command.ts";
import { type Part, partText } from "./parts.ts";
import { folderText, pathFunction } from "./path-case.ts";
import { refFunction } from "./ref-case.ts";

export type CompileOptions = {
  /** PATH of server gates. */
  path: string;
  /** Stands for %A instead of the file that would be made; null: as the type has it. */
  auxiliary: string | null;
  /** The kind of repository; git where it is left out. */
  kind?: Kind;
  /** The hooks are those of a team file, numbered by their places in it, and run in a shell that ran others before. */
  team?: boolean;
  /** Hooks that were files of the hooks folder, by id, with the file's name: each is left out where that file ran. */
  moved?: ReadonlyMap<number, string>;
};

const TAKES_INPUT: ReadonlySet<string> = new Set([
  "before-receive",
  "before-push",
  "git:post-rewrite",
  "git:reference-transaction",
]);
const HAS_MESSAGE: ReadonlySet<string> = new Set([
  "commit-msg",
  "git:prepare-commit-msg",
  "git:applypatch-msg",
  "git:sendemail-validate",
]);

/** The compiled file of these hooks, which are of one type and in the order in which they run. */
export function compileGate(type: string, hooks: readonly Hook[], options: CompileOptions): string {
  const first = options.team === true ? AFTER_OTHERS : 0;
  const prepared = hooks.map((hook, index) => prepare(type, hook, first + index, options));
  const parts = new Set<Part>(prepared.flatMap(({ needs }) => needs));
  if (isServerType(type)) parts.add("distrust");
  const lines = [
    options.team === true
      ? "# The hooks of this type, compiled by Gatepost from gatepost.json. Change them there."
      : "# The hooks of this type, compiled by Gatepost from its database. Change them there: gatepost hook edit",
    ...restOf(parts),
    ...[...parts].sort().map(partText),
    ...header(type, parts, options),
    ...prepared.flatMap(({ functions }) => functions),
  ];
  for (const group of groupsOf(prepared)) lines.push(...(group.length === 1 ? alone(group[0]) : together(group)));
  return `${lines.join("\n")}\n_gatepost_done "${hooks.length}"`;
}

/** The files of hooks that run side by side are named by their places; those of the database come first. */
const AFTER_OTHERS = 1000;

/** What the parts use of the runtime that the shim reads only when it must. Most need it only to say why a hook does not
 *  run: reading it costs a commit a third of a millisecond. */
function restOf(parts: ReadonlySet<Part>): string[] {
  if (parts.size === 0) return [];
  if (ALWAYS.some((part) => parts.has(part))) return ["_gatepost_load"];
  const later = (name: string): string => `${name}() { _gatepost_load; ${name} "$@"; }`;
  return [
    'if [ "$_gatepost_rest" != "$_gatepost_version" ]; then',
    later("_gatepost_leave_out"),
    later("_gatepost_break"),
    "fi",
  ];
}

/** The parts that use it on the common path. */
const ALWAYS: readonly Part[] = ["facts", "together", "distrust", "fossil-auxiliary"];

type Prepared = {
  hook: Hook;
  /** Its place in the file, for the names of files and functions. */
  index: number;
  /** How records, messages, and GATEPOST_HOOK and GATEPOST_SKIP call it. */
  id: string;
  label: string;
  called: string;
  needs: Part[];
  /** Functions of its own, which compare refs or paths. */
  functions: string[];
  /** The calls of ours that all must succeed for the hook to run. */
  conditions: string[];
  trace: string;
  /** What the subshell runs. */
  body: string;
  command: string;
  /** Its first argument is a file with a message. */
  message: boolean;
  stdin: "inherited" | "input" | "file";
};

function prepare(type: string, hook: Hook, index: number, options: CompileOptions): Prepared {
  const { auxiliary, kind } = options;
  const given = hook.command ?? "";
  const substituted = substitute(given);
  const command = substituted.ok ? substituted.command : "exit 126"; // such a one cannot be stored
  const needs: Part[] = [];
  const folder = kind === "fossil" ? folderText(hook.dir) : (hook.dir ?? "");
  const file = options.moved?.get(hook.id);
  const conditions: string[] = file === undefined ? [] : [unlessItRan(file)];
  if (hook.dir !== null) conditions.push(`_gatepost_has_folder ${quoted(folder)}`);
  const functions: string[] = [];
  const fossil = kind === "fossil";
  // The folder comes first.
  let specs = [hook.dir ?? "", ...(hook.paths ?? [])].map(quoted).join(" ");
  if (hook.refs !== null) {
    needs.push("refs");
    functions.push(refFunction(`_gatepost_ref_${index}`, hook.refs));
    conditions.push(`_gatepost_ref _gatepost_ref_${index}`);
  }
  const looksAtPaths = hook.paths !== null || hook.stdin === "paths";
  let filters = hook.paths !== null;
  if (fossil && (looksAtPaths || hook.dir !== null)) {
    needs.push("fossil-changes");
    const accepts = pathFunction(`_gatepost_path_${index}`, hook.paths ?? []);
    filters &&= accepts !== null;
    specs = `${quoted(folderText(hook.dir))} _gatepost_path_${index}`;
    if (accepts !== null) functions.push(accepts);
    else if (hook.stdin === "paths") conditions.push("_gatepost_break 'sh cannot match its --path'");
  } else if (isOfCommit(type)) {
    if (looksAtPaths || hook.dir !== null) needs.push("staged");
  } else if (looksAtPaths) {
    needs.push("pushed", "refs");
    conditions.push(`_gatepost_guard=${hook.refs === null ? "" : `_gatepost_ref_${index}`}`);
  }
  if (filters && hook.stdin !== "paths") conditions.push(`_gatepost_touches ${specs}`);
  const usesAuxiliary = substituted.ok && (substituted.uses.has("A") || given.includes(VARIABLES.A));
  if (usesAuxiliary && auxiliary === null && !HAS_MESSAGE.has(type)) {
    if (fossil) needs.push("temporary", "fossil-auxiliary");
    else needs.push("temporary", "auxiliary", type === "before-commit" ? "describe" : "facts");
    conditions.push('_gatepost_auxiliary "$@"');
  }
  if (hook.stdin === "paths") {
    needs.push("temporary", "supply");
    // By way of a file where it is read later, or in the background.
    conditions.push(`_gatepost_paths ${hook.parallel || hook.timeout !== null ? "file" : "list"} ${specs}`);
  }
  if (hook.timeout !== null) needs.push("timed");
  if (hook.dir !== null || hook.timeout !== null) needs.push(fossil ? "fossil-enter" : "enter");
  if (hook.parallel) needs.push("together", "temporary");
  return {
    hook,
    index,
    ...wordsFor(hook, options.team === true),
    needs,
    functions,
    conditions,
    trace: isServerType(type) ? "" : traceOf(given),
    body: hook.dir === null ? bodyOf(command) : `${enter(type, hook.dir)}\n${bodyOf(command)}`,
    command,
    message: HAS_MESSAGE.has(type),
    stdin: hook.stdin === "paths" ? "file" : hook.stdin === "updates" || TAKES_INPUT.has(type) ? "input" : "inherited",
  };
}

/** A push that was under way when the file was moved ran the file in front of this one, and was marked by nothing else.
 *  What ran after another file took its place is not it. */
const unlessItRan = (file: string): string =>
  `{ case $_gatepost_native:$_gatepost_lines in "${file}:ran 0 "*) [ -e "$_gatepost_hooks/gatepost/moved/${file}.over" ] || { ${RAN}; false; } ;; esac; }`;
const RAN = "_gatepost_leave_out moved 'left out, the file that it was moved from ran'";

const isOfCommit = (type: string): boolean => type === "before-commit" || type === "commit-msg";

/** In another folder, a message file that git named relative to the root would not be found. */
const FULL_PATH = `shift; set -- "$${VARIABLES.A}" "$@"`;

const enter = (type: string, dir: string): string =>
  [...(HAS_MESSAGE.has(type) ? [FULL_PATH] : []), `_gatepost_enter ${quoted(dir)} || exit 126`].join("\n");

function traceOf(command: string): string {
  const words = places(command).map((piece) =>
    typeof piece === "string" ? quoted(piece) : `"$${VARIABLES[piece.letter]}"`,
  );
  return `[ -z "$_gatepost_trace" ] || _gatepost_show ${words.join(" ")}`;
}

function header(type: string, parts: ReadonlySet<Part>, options: CompileOptions): string[] {
  const lines: string[] = [];
  if (isServerType(type)) lines.push(`_gatepost_distrust ${quoted(options.path)}`);
  if (type === "before-push") lines.push("_gatepost_remote=$1");
  if (options.auxiliary !== null) lines.push(`${VARIABLES.A}=${quoted(options.auxiliary)}`);
  else if (HAS_MESSAGE.has(type)) lines.push(`case $1 in /*) ${VARIABLES.A}=$1 ;; *) ${VARIABLES.A}=$PWD/$1 ;; esac`);
  if (parts.has("fossil-auxiliary")) lines.push("_gatepost_ask_parent");
  if (parts.has("describe")) lines.push('_gatepost_write() { _gatepost_describe "$_gatepost_file"; }');
  else if (parts.has("facts")) lines.push('_gatepost_write() { _gatepost_facts "$@"; }');
  return lines;
}

/** Hooks that run by themselves, and neighbours that run side by side. */
function groupsOf(hooks: readonly Prepared[]): Prepared[][] {
  const groups: Prepared[][] = [];
  for (const one of hooks) {
    const last = groups.at(-1);
    if (one.hook.parallel && last?.every(({ hook }) => hook.parallel) === true) last.push(one);
    else groups.push([one]);
  }
  return groups;
}

/** How the runtime is told of a hook: its id, what it is called in messages, and its name. */
const wordsOf = ({ id, label, called }: Prepared): string => `${id} ${quoted(label)} ${quoted(called)}`;

const begin = (one: Prepared): string => `_gatepost_begin ${wordsOf(one)}`;

function wordsFor({ id, name }: Hook, team: boolean): Pick<Prepared, "id" | "label" | "called"> {
  if (!team)
    return { id: `${id}`, label: name === null ? `hook ${id}` : `hook ${id} (${name})`, called: name ?? `${id}` };
  return { id: `team:${name ?? id}`, label: `team hook ${name ?? id}`, called: name ?? `team:${id}` };
}

const end = ({ hook }: Prepared, status: string): string =>
  `_gatepost_end ${status}${hook.advisory ? " advisory" : ""}`;

function alone(one: Prepared | undefined): string[] {
  if (one === undefined) return [];
  const timed = one.hook.timeout !== null;
  return [
    `if ${[begin(one), ...one.conditions].join(" && ")}; then`,
    ...(one.trace === "" ? [] : [one.trace]),
    ...(one.stdin === "file" && !timed ? [] : descriptor3(one, '"$_gatepost_file"', timed)),
    ...(timed ? timedCall(one) : subshell(one)),
    end(one, timed ? '"$_gatepost_status"' : "$?"),
    ...(timed || one.stdin !== "inherited" ? ["exec 3<&-"] : []),
    "fi",
  ];
}

function subshell({ body, command, hook, stdin }: Prepared): string[] {
  if (hook.dir === null && isPlainCall(command)) {
    if (stdin === "file") return ["_gatepost_supply |", command];
    return [stdin === "input" ? `${command} <&3 3<&-` : command];
  }
  if (stdin === "file") return ["_gatepost_supply |", "(", body, ")"];
  return ["(", body, stdin === "input" ? ") <&3 3<&-" : ")"];
}

/** What the hook reads is opened as descriptor 3, which nobody else keeps. */
function descriptor3({ stdin }: Prepared, file: string, timed: boolean): string[] {
  if (stdin === "input") return ["_gatepost_feed"];
  if (stdin === "file") return [`exec 3<${file}`];
  return timed ? ["exec 3<&0"] : [];
}

const timedCall = ({ hook, message, command }: Prepared): string[] => [
  `_gatepost_dir=${quoted(hook.dir ?? "")}`,
  `_gatepost_timed ${(hook.timeout ?? 0) / 1000} ${hook.timeout ?? 0} ${quoted(hook.dir !== null && message ? `${FULL_PATH}\n${command}` : command)} "$@"`,
];

function together(group: readonly Prepared[]): string[] {
  const runs = (index: number): string => `_gatepost_run_${index}`;
  return [
    ...group.flatMap((one) => [
      `${runs(one.index)}=`,
      `if ${[begin(one), ...one.conditions, `_gatepost_place ${one.index}`].join(" && ")}; then`,
      ...(one.trace === "" ? [] : [one.trace]),
      `${runs(one.index)}=yes _gatepost_reads_${one.index}=$_gatepost_reads`,
      "fi",
    ]),
    "_gatepost_unready=$_gatepost_stop",
    ...group.flatMap((one, n) => [
      `if [ -n "$${runs(one.index)}" ] && [ -z "$_gatepost_unready" ]; then`,
      ...member(one),
      n === group.length - 1 ? "fi" : "fi |",
    ]),
    ...group.flatMap((one) => [
      `if [ -n "$${runs(one.index)}" ] && [ -n "$_gatepost_unready" ]; then`,
      `_gatepost_is_wanted ${wordsOf(one)}`, // no more: it is named as not run
      `elif [ -n "$${runs(one.index)}" ]; then`,
      `_gatepost_gather ${one.index} ${wordsOf(one)}`,
      end(one, '"$_gatepost_status"'),
      "fi",
    ]),
    "_gatepost_ended=",
  ];
}

function member(one: Prepared): string[] {
  const { hook, index, stdin } = one;
  const timed = hook.timeout !== null;
  const output = `>"$_gatepost_base.out-${index}" 2>&1`;
  const input = stdin === "inherited" && !timed ? "</dev/null" : "<&3 3<&-";
  return [
    `GATEPOST_HOOK=${quoted(one.called)}`,
    ...(stdin === "inherited" && timed ? ["exec 3</dev/null"] : descriptor3(one, `"$_gatepost_reads_${index}"`, timed)),
    ...(timed
      ? [
          "trap '_gatepost_end_timed; exit 143' INT TERM HUP",
          ...timedCall(one).slice(0, 1),
          `${timedCall(one)[1]} ${output}`,
          `_gatepost_note ${index} "$_gatepost_status"`,
        ]
      : ["(", one.body, `) ${input} ${output}`, `_gatepost_note ${index} $?`]),
  ];
}
