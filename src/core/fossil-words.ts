/**
 * The words of a `fossil commit` as far as `gatepost commit` must understand them: where the message comes from, and
 * whether hooks are to be asked at all. All else is fossil's affair and is passed on as it stands.
 *
 * Fossil takes one dash for two, a value behind a blank or "=", and ends its options at "--". Before all that it puts the
 * lines of a file in the place of `--args FILE`, wherever that stands, even as a value or behind "--". Pure.
 */

export type CommitWords = {
  /** Given by --comment; null where it is not. */
  comment: string | null;
  /** The file of --message-file, "-" for stdin. */
  messageFile: string | null;
  branch: string | null;
  /** The editor of --editor, which newer fossils take. */
  editor: string | null;
  noPrompt: boolean;
  /** Nobody is to be asked: --no-verify, and --dry-run, of which fossil tells no hook. */
  unasked: boolean;
  /** All words but those of the message and the editor. */
  others: readonly string[];
};

const VALUED: Readonly<Record<string, "comment" | "messageFile" | "branch" | "editor">> = {
  comment: "comment",
  m: "comment",
  "message-file": "messageFile",
  M: "messageFile",
  branch: "branch",
  b: "branch",
  editor: "editor",
};
const UNASKED = ["no-verify", "dry-run", "n", "test"];

/** Whether fossil will take words out of a file. */
export const namesArgsFile = (words: readonly string[]): boolean =>
  words.slice(0, -1).some((word) => word === "--args" || word === "-args");

/** Reads the words behind `fossil commit`. Null where fossil will not take them, or more than one message is given. */
export function readCommitWords(words: readonly string[]): CommitWords | null {
  const values: Record<string, string> = {};
  const others: string[] = [];
  let noPrompt = false;
  let unasked = false;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") {
      others.push(...words.slice(at));
      break;
    }
    const [, name = "", , inline] = /^--?([^=-][^=]*)(=(.*))?$/s.exec(word) ?? [];
    const key = VALUED[name];
    if (key === undefined) {
      noPrompt ||= name === "no-prompt";
      unasked ||= UNASKED.includes(name);
      others.push(word);
      continue;
    }
    if (inline === undefined) at += 1;
    const value = inline ?? words[at];
    if (value === undefined || key in values) return null;
    values[key] = value;
    if (key === "branch") others.push(...(inline === undefined ? [word, value] : [word]));
  }
  const { comment = null, messageFile = null, branch = null, editor = null } = values;
  return { comment, messageFile, branch, editor, noPrompt, unasked, others };
}
