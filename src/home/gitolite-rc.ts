/** What an administrator of gitolite puts into .gitolite.rc, below %RC = (. */
import { TRIGGER } from "../shim/gitolite.ts";
import type { HooksFolder } from "../store/repository.ts";

export const LOCAL_CODE_LINE = `LOCAL_CODE => "$ENV{HOME}/local",`;
export const TRIGGER_LINE = `ACCESS_2 => [ '${TRIGGER}' ],`;

/** Why before-ref hooks are not asked in a repository of gitolite's; null where they are. */
export function unaskedRefs({ gitolite, use }: HooksFolder): string | null {
  if (gitolite === undefined || gitolite.trigger) return null;
  const lines = use === "everyone" ? TRIGGER_LINE : `${LOCAL_CODE_LINE} and ${TRIGGER_LINE}`;
  return `gitolite keeps the update hook for itself, and asks our gate when ${gitolite.rc} has ${lines} (then: gatepost init)`;
}
