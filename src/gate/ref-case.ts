/**
 * A ref pattern as a `case` of sh, for gates, which match without starting a process. The rules are those of
 * core/ref-pattern.ts: the whole name, its beginning up to a slash, or a glob whose wildcards stop at slashes.
 *
 * In a `case`, wildcards do not stop at slashes. So a glob is accepted only where the ref has exactly as many slashes as
 * the pattern: each slash of the pattern takes one, and a wildcard that took another would leave one too many. `**`
 * stands for any number of folders and needs no count, but then no other wildcard can be kept from crossing a slash:
 * such a mixture is refused.
 */
import { GatepostError } from "../core/errors.ts";

/** A shell function NAME that succeeds for refs that match one of the patterns. */
export function refFunction(name: string, patterns: readonly string[]): string {
  const cases = patterns.flatMap((pattern) => formsOf(pattern).flatMap(casesOf));
  return `${name}() {\n${cases.join("\n")}\n  return 1\n}`;
}

const formsOf = (pattern: string): string[] =>
  pattern.startsWith("refs/") ? [pattern] : [pattern, `refs/heads/${pattern}`, `refs/tags/${pattern}`];

const caseOf = (...arms: string[]): string => `  case $1 in ${arms.join(" ")} esac`;
const accept = (glob: string): string => `${glob}) return 0 ;;`;

function casesOf(form: string): string[] {
  const plain = caseOf(accept(form.endsWith("/") ? `${literal(form)}*` : `${literal(form)} | ${literal(form)}/*`));
  if (!/[*?[\\]/.test(form)) return [plain];
  if (/(^|\/)\*\*+(\/|$)/.test(form)) return [plain, ...crossing(form).map((glob) => caseOf(accept(glob)))];
  const tooMany = `*/${"*/".repeat(form.split("/").length - 1)}*`;
  return [plain, caseOf(`${tooMany}) ;;`, accept(globText(form, form)))];
}

// Before and behind the two stars: nothing in between, or anything.
function crossing(form: string): string[] {
  const parts = form.split(/\/?\*\*+\/?/);
  if (parts.some((part) => /[*?[\\]/.test(part)) || parts.length > 2) throw unsupported(form);
  const [before = "", after = ""] = parts.map(literal);
  if (form.endsWith("/")) return []; // no ref does
  if (after === "") return [before === "" ? "*" : `${before}/*`];
  return before === "" ? [after, `*/${after}`] : [`${before}/${after}`, `${before}/*/${after}`];
}

/** As a pattern of its own, `esac` would end the `case`. */
const literal = (text: string): string => (text === "esac" ? "\\esac" : text.replace(/[^A-Za-z0-9_/.-]/g, "\\$&"));

function globText(rest: string, form: string): string {
  if (rest === "") return "";
  const set = /^\[([!^]?)((?:\[:[a-z]+:\]|[A-Za-z0-9_.-])+)\]/.exec(rest);
  if (set !== null) return `[${set[1] === "" ? "" : "!"}${set[2]}]${globText(rest.slice(set[0].length), form)}`;
  const stars = /^(\*+|\?)/.exec(rest)?.[0];
  if (stars !== undefined) return `${stars[0]}${globText(rest.slice(stars.length), form)}`;
  const escaped = /^\\(.)/.exec(rest);
  if (escaped !== null) return `${literal(escaped[1] ?? "")}${globText(rest.slice(2), form)}`;
  if (/^[[\\]/.test(rest)) throw unsupported(form);
  return `${literal(rest[0] ?? "")}${globText(rest.slice(1), form)}`;
}

const unsupported = (form: string): GatepostError =>
  new GatepostError("GP_USAGE", `A gate cannot match the ref pattern "${form}".`, {
    hint: "In a gate, ** stands alone with plain names (team/**), and sets are of letters and digits ([a-z]).",
  });
