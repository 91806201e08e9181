/** What the auxiliary file of a Fossil repository's run tells besides the receipts: what the lines cannot say. */
import { type ByteString, toText } from "../core/bytes.ts";
import { substitute, VARIABLES } from "../core/substitute.ts";
import type { Details, Range, Repository } from "../vcs/repository.ts";
import { shown } from "./material.ts";

/** The details for a hook whose command names the auxiliary file, as %A or by its variable; null for all others, which
 *  would pay for nothing, and where the list says all. To be called before the hook starts: no reader holds a Fossil
 *  file while a hook runs. Throws what reading the repository throws. */
export async function detailsFor(repository: Repository, command: string, range: Range): Promise<Details | null> {
  if (repository.kind === "git") return null;
  const substituted = substitute(command);
  const isNamed = (substituted.ok && substituted.uses.has("A")) || command.includes(VARIABLES.A);
  return isNamed ? await repository.details(range) : null;
}

/** The members of the JSON, each with the comma behind it, in pieces: together they may be longer than is good to hold. */
export function* detailMembers({ checkins, tags, private: hidden, more }: Details): Generator<string> {
  yield* member("checkins", checkins, ({ hash, user, at, branch, comment, parents, files, moreFiles, ...rest }) => ({
    hash,
    ...named("user", user),
    at: new Date(at),
    ...named("branch", branch),
    ...named("comment", comment),
    parents,
    private: rest.private,
    files: files.map(({ path, change, from }) => ({ ...named("path", path), change, ...named("from", from) })),
    moreFiles,
  }));
  yield* member("tags", tags, ({ artifact, name, target, change, value }) => ({
    artifact,
    ...named("name", name),
    target,
    change,
    ...named("value", value),
  }));
  yield `"private": ${JSON.stringify(hidden)},\n"more": ${JSON.stringify(more)},\n`;
}

function* member<T>(key: string, entries: readonly T[], shape: (entry: T) => unknown): Generator<string> {
  yield `"${key}": [`;
  for (const [index, entry] of entries.entries()) yield `${index === 0 ? "\n" : ",\n"}${JSON.stringify(shape(entry))}`;
  yield "],\n";
}

/** A member for bytes; where they are no UTF-8, another with them in base64. */
function named(key: string, bytes: ByteString | undefined): Record<string, string> {
  if (bytes === undefined) return {};
  const text = { [key]: shown(bytes) ?? "" };
  return toText(bytes) === null ? { ...text, [`${key}Base64`]: Buffer.from(bytes, "latin1").toString("base64") } : text;
}
