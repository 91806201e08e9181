/** A Fossil repository that is read on and on, as a backoffice does, which remembers where it was. */
import { openFossil } from "../../src/vcs/fossil.ts";
import type { Arrival, Arrivals, Span, Watermark } from "../../src/vcs/repository.ts";

export const spanOf = ({ rcvid, rows }: Arrival): Span => ({ after: rcvid - 1, upto: rcvid, rows });

export class Reader {
  readonly file: string;
  watermark: Watermark | null = null;

  constructor(file: string) {
    this.file = file;
  }

  /** Reads on. The watermark goes through JSON, as it does in the database. */
  async read(waiting: readonly Span[] = []): Promise<Arrivals> {
    const found = await openFossil(this.file).arrivals(this.watermark, waiting);
    this.watermark = JSON.parse(JSON.stringify(found.watermark));
    return found;
  }

  /** The arrivals as "NUMBER: FIRST LINES…", with `again` where the number was known. */
  async news(): Promise<{ rcvid: number; again: boolean; list: string }[]> {
    const { arrivals } = await this.read();
    return Promise.all(
      arrivals.map(async (arrival) => ({
        rcvid: arrival.rcvid,
        again: arrival.again,
        list: await this.list([spanOf(arrival)]),
      })),
    );
  }

  async list(spans: readonly Span[]): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of openFossil(this.file).artifacts({ spans })) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }
}

/** One whose repository has been read once. */
export async function reader(file: string): Promise<Reader> {
  const made = new Reader(file);
  await made.read();
  return made;
}
