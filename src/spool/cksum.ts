/** The checksum of POSIX's `cksum`, which every system has a program for: the shim's way to say what it wrote. */

const POLYNOMIAL = 0x04c11db7;

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) sum = sum < 0 ? (sum << 1) ^ POLYNOMIAL : sum << 1;
  return sum;
});

const step = (sum: number, byte: number): number => (sum << 8) ^ (table[(sum >>> 24) ^ byte] ?? 0);

/** What `cksum` prints first for these bytes. */
export function cksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = step(sum, byte);
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256)) sum = step(sum, length % 256);
  return ~sum >>> 0;
}
