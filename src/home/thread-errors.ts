/** Errors from one thread to the other. What is sent as it is arrives as an Error without class, code and hint. */
import { type ErrorCode, fromSystem, GatepostError, isSystemError } from "../core/errors.ts";

/** An error in values that can be sent; `ours` where it is a GatepostError. */
export type PackedError = {
  name: string;
  message: string;
  stack: string | undefined;
  ours: { code: ErrorCode; hint: string | null } | null;
  /** What the system said: code, errno, syscall, path. */
  facts: Record<string, unknown>;
  cause: PackedError | null;
};

const FACTS = ["code", "errno", "syscall", "path", "dest"];

/** Packs whatever was thrown. A chain of causes is followed, but not for ever. */
export function pack(thrown: unknown, depth = 0): PackedError {
  const error = thrown instanceof Error ? thrown : new Error(textOf(thrown));
  const own = error as unknown as Record<string, unknown>;
  const told = FACTS.filter((fact) => ["string", "number"].includes(typeof own[fact]));
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    ours: error instanceof GatepostError ? { code: error.code, hint: error.hint } : null,
    facts: Object.fromEntries(told.map((fact) => [fact, own[fact]])),
    cause: error.cause === undefined || depth > 4 ? null : pack(error.cause, depth + 1),
  };
}

/** The error that was packed: a GatepostError is one again, with its code, hint, exit code and cause. */
export function unpack({ name, message, stack, ours, facts, cause }: PackedError): Error {
  const because = cause === null ? {} : { cause: unpack(cause) };
  const error =
    ours === null
      ? Object.assign(new Error(message, because), facts, { name })
      : new GatepostError(ours.code, message, { ...(ours.hint === null ? {} : { hint: ours.hint }), ...because });
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Whatever a call failed with, as an error with a code. */
export function coded(thrown: unknown): GatepostError {
  const error = fromSystem(thrown);
  if (error instanceof GatepostError) return error;
  if (isSystemError(error))
    return new GatepostError("GP_NO_FILE", `The system refused a file: ${error.message}.`, {
      hint: "Look at the path it names, and call again.",
      cause: error,
    });
  return new GatepostError("GP_BUG", `A bug in Gatepost: ${textOf(error)}`, {
    hint: "Nothing that was acknowledged is lost. Please report it with its cause.",
    cause: error,
  });
}

/** Anything as text; also what cannot be made one. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "something that is no text";
  }
}
