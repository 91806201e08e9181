/** Reading and changing the settings of a home. */
import { requireSetting, requireSettingValue, SETTINGS, type SettingName } from "../core/settings.ts";
import { write } from "../store/database.ts";
import { dropSetting, putSetting, readSettings } from "../store/setting.ts";
import { marked, refreshGates, requireReached } from "./gates.ts";
import { showSettings } from "./marks.ts";
import { homeSettings, type OpenHome, requireOwner } from "./open.ts";

export type SettingLine = { name: SettingName; value: string; isDefault: boolean; says: string };

/** All settings of the home, or the one that is named. */
export function listSettings(home: OpenHome, only?: string): SettingLine[] {
  const stored = readSettings(home.db);
  const values = homeSettings(home);
  const names = only === undefined ? (Object.keys(SETTINGS) as SettingName[]) : [requireSetting(only)];
  return names.map((name) => ({ name, value: values[name], isDefault: !stored.has(name), says: SETTINGS[name].says }));
}

/** Sets one; null takes it back to its default. Gates are compiled with the path in them, so they are compiled anew;
 *  throws GP_DENIED where a hooks folder could not be brought in line. */
export function changeSetting(home: OpenHome, word: string, value: string | null): SettingLine {
  const name = requireSetting(word);
  if (value !== null) requireSettingValue(name, value);
  requireOwner(home.dir);
  const change = (): void => (value === null ? dropSetting(home.db, name) : putSetting(home.db, name, value));
  write(home.db, () => (name === "path" ? marked(home, change) : change()));
  if (name === "path") requireReached(refreshGates(home));
  showSettings(home, name);
  return listSettings(home, name)[0] as SettingLine;
}
