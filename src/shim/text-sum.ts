/** The sum in a text of ours that stands where people edit, so that what we wrote is told from what somebody changed. */
import { createHash } from "node:crypto";

/** 16 hexadecimal digits of a byte string. */
export const textSum = (text: string): string => createHash("sha256").update(text, "latin1").digest("hex").slice(0, 16);
