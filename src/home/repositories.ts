/** The repositories of a home, by what people call them. */
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import {
  listRepositories,
  type RepositoryRow,
  repositoryById,
  repositoryByName,
  repositoryByPath,
} from "../store/repository.ts";
import type { OpenHome } from "./open.ts";

export type { RepositoryRow } from "../store/repository.ts";

/** The repository with that data directory or name. */
export function requireRepository(home: OpenHome, named: string): RepositoryRow {
  const row = repositoryByPath(home.db, named) ?? repositoryByName(home.db, named);
  if (row !== null) return row;
  const known = listRepositories(home.db).map(({ name, path }) => `${name} (${path})`);
  const moved = named.startsWith("/") ? `. If it was moved: gatepost init ${named}` : "";
  throw new GatepostError("GP_NO_REPOSITORY", `${named} is not registered in the home ${home.dir}.`, {
    hint:
      known.length === 0
        ? "Register it: gatepost init PATH"
        : `Registered there: ${known.slice(0, 5).join(", ")}${moved}`,
  });
}

/** The one repository that a hook is for; an error where it is for more than one. */
export function onlyRepositoryOf(home: OpenHome, hook: Hook): RepositoryRow {
  const rows = listRepositories(home.db);
  const { scope } = hook;
  const row =
    scope.scope === "repository" ? repositoryById(home.db, scope.repository) : rows.length === 1 ? rows[0] : null;
  if (row) return row;
  throw new GatepostError("GP_USAGE", "On which repository? The hook is for more than one.", {
    hint: "Add -R REPOSITORY.",
  });
}

/** The repositories of the home, by name. */
export const registeredRepositories = (home: OpenHome): RepositoryRow[] => listRepositories(home.db);
