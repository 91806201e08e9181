/** Texts as words of a shell line. */

/** The text in single quotes: one word, whatever is in it (but a NUL, which no shell can be given). */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The text as a person would type it: in quotes only where it needs them. */
export const typed = (text: string): string => (/^[\w@%+:,./-][\w@%+=:,./-]*$/.test(text) ? text : quoted(text));
