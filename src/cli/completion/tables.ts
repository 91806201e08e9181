/**
 * What can be typed, as functions that bash and zsh both read, and the walk along what has been typed already.
 *
 * Nothing here is evaluated but this text itself: words of the line are compared, never expanded, and come to the
 * functions without their quotes. Lists are lines, `WORD<tab>WHAT IT STANDS FOR`.
 */
import { quoted } from "../../core/shell-word.ts";
import type { Node, Value, Word } from "../completion.ts";

/** One line for each word. */
export const lines = (words: readonly Word[]): string =>
  words.map(({ word, says }) => (says === "" ? word : `${word}\t${says}`)).join("\n");

/** Values that are the same, each with all the places it can stand in: "gatepost hook edit --ref", "gatepost init 0". */
export function places(nodes: readonly Node[]): { value: Value; keys: string[] }[] {
  const found = new Map<string, { value: Value; keys: string[] }>();
  const add = (value: Value, key: string): void => {
    const kind = JSON.stringify(value);
    const place = found.get(kind) ?? { value, keys: [] };
    place.keys.push(key);
    found.set(kind, place);
  };
  for (const { path, options, args } of nodes) {
    for (const { word, value } of options) if (value !== null) add(value, `${path} ${word}`);
    for (const [at, value] of args.entries()) add(value, `${path} ${at}`);
  }
  return [...found.values()];
}

const arm = (keys: readonly string[], ...body: string[]): string =>
  [`    ${keys.map(quoted).join(" | ")})`, ...body.map((line) => `      ${line}`), "      ;;"].join("\n");

const cases = (name: string, says: string, subject: string, arms: readonly string[]): string =>
  [`# ${says}`, `${name}() {`, `  case ${subject} in`, ...arms, "    *) return 1 ;;", "  esac", "}"].join("\n");

function commandArm({ path, words, options, args, more }: Node): string {
  return arm(
    [path],
    `_gatepost_subs=${quoted(lines(words))}`,
    `_gatepost_options=${quoted(lines(options))}`,
    `_gatepost_last=${more ? args.length - 1 : ""}`,
  );
}

function valueArm({ value, keys }: { value: Value; keys: readonly string[] }): string {
  return arm(
    keys,
    `_gatepost_choices=${quoted(lines(value.words))}`,
    `_gatepost_files=${value.files ? "yes" : ""}`,
    `_gatepost_ask=${value.ask ?? ""}`,
  );
}

function shortArms({ path, short }: Node): string[] {
  const names = [...new Set(short.values())];
  return names.map((name) => {
    const keys = [...short].filter(([, full]) => full === name).map(([word]) => `${path} ${word}`);
    return arm(keys, `_gatepost_sub=${quoted(name)}`);
  });
}

/** The tables, and `_gatepost_walk WORD...`, which goes along the words between `gatepost` and the one being typed. */
export function tables(nodes: readonly Node[]): string {
  return [
    cases("_gatepost_command", "_gatepost_command COMMAND: what can follow a command.", '"$1"', nodes.map(commandArm)),
    cases(
      "_gatepost_value",
      "_gatepost_value COMMAND PLACE: what can be the value of an option, or of an argument (by number from 0).",
      '"$1 $2"',
      places(nodes).map(valueArm),
    ),
    cases(
      "_gatepost_short",
      "_gatepost_short COMMAND WORD: the sub-command that a word, maybe shortened, stands for.",
      '"$1 $2"',
      nodes.flatMap(shortArms),
    ),
    WALK,
  ].join("\n\n");
}

const WALK = `# _gatepost_walk WORD...: what the words so far amount to.
_gatepost_walk() {
  local word
  _gatepost_path=gatepost _gatepost_option='' _gatepost_over='' _gatepost_count=0 _gatepost_homed=''
  _gatepost_command gatepost
  for word in "$@"; do
    case $word in --home | --home=* | -home | -home=*) _gatepost_homed=yes ;; esac
    if [[ -n $_gatepost_option ]]; then
      _gatepost_option=''
      continue
    fi
    if [[ -z $_gatepost_over && $word == -* ]]; then
      case $word in
        --) _gatepost_over=yes ;;
        *=*) ;;
        -[a-z][a-z]*) _gatepost_value "$_gatepost_path" "-$word" && _gatepost_option=-$word ;;
        *) _gatepost_value "$_gatepost_path" "$word" && _gatepost_option=$word ;;
      esac
    elif [[ $_gatepost_path$_gatepost_count$word == gatepost0help ]]; then
      :
    elif [[ $_gatepost_count == 0 && -z $_gatepost_over ]] && _gatepost_short "$_gatepost_path" "$word"; then
      _gatepost_path="$_gatepost_path $_gatepost_sub"
      _gatepost_command "$_gatepost_path"
    else
      _gatepost_count=$((_gatepost_count + 1))
    fi
  done
}

# _gatepost_place WORD: what can stand where WORD is being typed: _gatepost_choices, _gatepost_files, _gatepost_ask; and
# how much of WORD stands before it: _gatepost_before.
_gatepost_place() {
  _gatepost_choices='' _gatepost_files='' _gatepost_ask='' _gatepost_before=''
  local place=$_gatepost_count
  if [[ -n $_gatepost_option ]]; then
    _gatepost_value "$_gatepost_path" "$_gatepost_option"
  elif [[ -z $_gatepost_over && $1 == --*=* ]]; then
    _gatepost_before=\${1%%=*}=
    _gatepost_value "$_gatepost_path" "\${1%%=*}"
  elif [[ -z $_gatepost_over && $1 == -* ]]; then
    _gatepost_choices=$_gatepost_options
  else
    if [[ -n $_gatepost_last ]] && ((place > _gatepost_last)); then place=$_gatepost_last; fi
    _gatepost_value "$_gatepost_path" "$place"
    if [[ $_gatepost_count == 0 && -z $_gatepost_over && -n $_gatepost_subs ]]; then
      _gatepost_choices=$_gatepost_subs\${_gatepost_choices:+$'\\n'}$_gatepost_choices
    fi
  fi
  # A name means a repository only beside --home; a path always does.
  if [[ $_gatepost_ask == repositories && (-z $_gatepost_homed || $1 == */*) ]]; then _gatepost_ask=''; fi
  return 0
}`;
