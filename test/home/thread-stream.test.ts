/** Lists that cross from one thread to another: in parts, as they are asked for. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { GatepostError } from "../../src/core/errors.ts";
import type { ReceiptId } from "../../src/core/units.ts";
import { putTogether } from "../../src/home/thread-batches.ts";
import { receiptParts } from "../../src/home/thread-functions.ts";
import { inParts, receiveParts, sendParts } from "../../src/home/thread-stream.ts";

it("is made no faster than it is read: two parts are on their way, however long the reader takes", async () => {
  const { port1, port2 } = new MessageChannel();
  let made = 0;
  function* parts() {
    for (; made < 1000; made += 1) yield [made];
  }
  const sent = sendParts(port1, parts());
  const reader = receiveParts<number[]>(port2);
  for (let read = 0; read < 5; read += 1) {
    expect(await reader.next()).toEqual({ value: [read], done: false });
    for (let turns = 0; turns < 50; turns += 1) await turn();
    // Read, two that wait, and the one that the sender holds in its hand.
    expect(made).toBeLessThanOrEqual(read + 4);
  }
  await reader.return(undefined);
  await sent;
  expect(made).toBeLessThan(10);
});

it("comes one part in a turn of the reader's event loop, also where several are there at once", async () => {
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  void sendParts(
    port1,
    Array.from({ length: 20 }, (_, part) => part),
  );
  const seen: number[] = [];
  for await (const _ of receiveParts<number>(port2)) seen.push(turns);
  isOver = true;
  expect(new Set(seen).size).toBe(20);
});

it("lets go of its source when the reader breaks off", async () => {
  const { port1, port2 } = new MessageChannel();
  let isLeft = false;
  let made = 0;
  async function* parts() {
    try {
      for (; made < 1000; made += 1) yield ["x"];
    } finally {
      isLeft = true;
    }
  }
  const sent = sendParts(port1, parts());
  for await (const part of receiveParts<string[]>(port2)) {
    expect(part).toEqual(["x"]);
    break;
  }
  await sent;
  expect([isLeft, made < 10]).toEqual([true, true]);
});

it("fails at the reader, after what came before, with the error of its source", async () => {
  const { port1, port2 } = new MessageChannel();
  function* parts() {
    yield 1;
    throw new GatepostError("GP_VCS", "git failed.", { hint: "Look.", cause: new TypeError("why") });
  }
  void sendParts(port1, parts());
  const reader = receiveParts<number>(port2);
  expect(await reader.next()).toEqual({ value: 1, done: false });
  const error = await reader.next().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(GatepostError);
  expect(error).toMatchObject({ code: "GP_VCS", hint: "Look.", cause: { name: "TypeError", message: "why" } });
});

it("does not seem to end where its sender is gone", async () => {
  const { port1, port2 } = new MessageChannel();
  const reader = receiveParts(port2);
  const next = reader.next();
  port1.close();
  await expect(next).rejects.toMatchObject({ code: "GP_CLOSED" });
});

it("gives each receipt its own updates back, and its time as a Date, in parts that are short however many it has", async () => {
  const receipts = [0, 1, 63, 64, 65, 1000].map((count, n) => ({
    rcvid: n as ReceiptId,
    at: new Date(1_700_000_000_123 + n),
    source: "push" as const,
    ...{ user: "bob \ud800", claimedUser: null, address: null, options: ["a\u0000b"] },
    updates: Array.from({ length: count }, (_, of) => ({
      ...{ ref: `refs/heads/r${n}-${of}`, old: "0".repeat(40), new: "1".repeat(40) },
      how: of % 2 === 0 ? ("entry" as const) : ("claimed" as const),
    })),
  }));
  const parts = [...receiptParts(receipts)];
  expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(40_000);
  const { port1, port2 } = new MessageChannel();
  void sendParts(port1, parts);
  const got = await putTogether(receiveParts<string>(port2));
  expect(got.receipts).toEqual(receipts);
  expect(got.updates).toEqual(receipts.flatMap(({ updates }) => updates.filter(({ how }) => how === "entry")));
});

it("loses nothing to being cut into parts", () => {
  const values = Array.from({ length: 1000 }, (_, n) => n);
  expect([...inParts(values, 256)].map(({ length }) => length)).toEqual([256, 256, 256, 232]);
  expect([...inParts(values, 256)].flat()).toEqual(values);
  expect([...inParts([])]).toEqual([]);
});
