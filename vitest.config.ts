import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./test/helpers/closing-line.ts"],
    // Far beyond what any of them needs: a machine under load is slow, not wrong.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: "behaviour",
          include: ["test/**/*.test.ts"],
          exclude: ["test/torture/**"],
          // Two cores, and most tests wait on processes of their own rather than on the processor.
          maxWorkers: 4,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "torture",
          include: ["test/torture/*.test.ts"],
          // Each wants the machine for itself, and takes it from nobody else's test.
          maxWorkers: 1,
          testTimeout: 3_600_000,
          disableConsoleIntercept: true,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
