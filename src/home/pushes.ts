/** Receipts as the pushes that they were. */
import { type ByteString, displayText, toText } from "../core/bytes.ts";
import type { Receipt } from "../store/receipt.ts";
import type { RefUpdate } from "../store/ref.ts";
import type { Move } from "../vcs/repository.ts";

type Told = Receipt & { updates: readonly RefUpdate[] };

/** The ref updates that a push could have brought: symbolic refs are set on the server, and claims moved nothing. */
export const movesOf = (receipts: readonly Told[]): Move[] =>
  receipts
    .flatMap(({ updates }) => updates)
    .filter(({ how, old, new: value }) => how !== "claimed" && !old.startsWith("ref:") && !value.startsWith("ref:"))
    .map(({ ref, old, new: value }) => ({ ref, old, new: value }));

/** What the gate of that push would have found in its environment. */
export function pushVariables(receipt: Told | undefined): Record<string, string> {
  if (receipt === undefined) return {};
  const { glUser, glRepo, remoteUser, address, options } = receipt;
  const variables: Record<string, string> = {};
  const named = { GL_USER: glUser, GL_REPO: glRepo, REMOTE_USER: remoteUser, REMOTE_ADDR: address };
  for (const [name, value] of Object.entries(named)) if (value !== null) variables[name] = shown(value);
  if (options.length > 0) variables["GIT_PUSH_OPTION_COUNT"] = String(options.length);
  for (const [index, option] of options.entries()) variables[`GIT_PUSH_OPTION_${index}`] = shown(option);
  return variables;
}

/** How a push is called in a list: its first ref and by whom. */
export function subjectOf(receipt: Told, moves: readonly Move[]): string {
  const [first, ...more] = moves.map(({ ref }) => displayText(ref).replace(/^refs\/(heads|tags)\//, ""));
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  return `${first ?? "(nothing)"}${others}${receipt.user === null ? "" : ` by ${shown(receipt.user)}`}`;
}

const shown = (bytes: ByteString): string => toText(bytes) ?? displayText(bytes);
