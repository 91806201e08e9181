/** Several homes open in one program: neither takes the work from the other. */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Home, openHome } from "../../src/index.ts";
import { type TestHome, testHome } from "../../src/testing.ts";
import { until } from "../helpers/cli.ts";

let place: TestHome;
let second: Home;
beforeEach(async () => {
  place = await testHome();
  second = await openHome(place.home.dir, { env: place.env });
});
afterEach(async () => {
  await second.close();
  await place.dispose();
});

it("a home that is open twice in one program is worked on by one of them at a time, and no lease is taken away", async () => {
  let calls = 0;
  let goOn = (): void => {};
  await place.home.hook({
    name: "index",
    type: "after-receive",
    run: () => {
      calls += 1;
      return new Promise((resolve) => {
        goOn = () => resolve(undefined);
      });
    },
  });
  await place.push({ a: "a" });
  const first = place.pass();
  await until("the function is at work", () => calls === 1);
  // It may wait for the first one, or leave the work to it; it must not take it over.
  const other = second.pass();
  await Promise.race([other.catch(() => {}), pause(1500)]);
  goOn();
  await first;
  await other;
  expect(calls).toBe(1);
  expect((await place.runs()).map(({ run }) => run.state)).toEqual(["done"]);
  const attempts = (await place.home.run((await place.runs())[0]?.run.id ?? 0)).attempts;
  expect(attempts).toHaveLength(1);
});
