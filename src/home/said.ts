/** Troubles that last are told of once, and not at each pass: cron mails whatever is printed. */
import { dropSetting, putSetting, readSetting } from "../store/setting.ts";
import type { OpenHome } from "./open.ts";

/** Says those of the messages that were not said at the last time, and keeps them; a trouble that is over and comes
 *  again is said again. `about` tells one list of messages from another. */
export function sayNews(
  home: OpenHome,
  about: string,
  messages: readonly string[],
  say: (message: string) => void,
): void {
  const name = `said.${about}`;
  const before = readSetting(home.db, name);
  const said = new Set(before === null ? [] : (JSON.parse(before) as string[]));
  for (const message of messages) if (!said.has(message)) say(message);
  const text = JSON.stringify(messages);
  if (messages.length === 0 && before !== null) dropSetting(home.db, name);
  else if (messages.length > 0 && text !== before) putSetting(home.db, name, text);
}
