/** Hooks that tell at once that they have started: each writes a byte into a FIFO. */
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";

/** Makes a FIFO, waits for single bytes from it, and says when each came, by performance.now(). What comes while nobody
 *  waits is only counted. Opened for writing too, so that it never ends. */
export function listen(place, fifo, limit = 60_000) {
  place.run("mkfifo", [fifo]);
  const socket = new Socket({ fd: openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK), writable: false });
  let count = 0;
  socket.on("data", (bytes) => {
    count += bytes.length;
  });
  return {
    /** How many hooks have started so far. */
    count: () => count,
    next: () =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no hook started within ${limit / 1000} s`)), limit);
        socket.once("data", () => {
          resolve(performance.now());
          clearTimeout(late);
        });
      }),
    close: () => socket.destroy(),
  };
}
