import { defineConfig } from 'vitest/config'
import { Tally } from './test/rig/reporter.ts'

/** One folder of test/ is one project; groups run one after the other, the quick ones first. */
function project(
  name: string,
  groupOrder: number,
  timeoutSeconds: number,
  maxWorkers: number,
  ...more: string[]
) {
  return {
    test: {
      name,
      include: [name, ...more].map((folder) => `test/${folder}/**/*.test.{ts,tsx}`),
      pool: 'forks' as const,
      // No test leaves anything in its process, and a process a file is half a second of the processor each.
      isolate: false,
      testTimeout: timeoutSeconds * 1000,
      hookTimeout: timeoutSeconds * 1000,
      maxWorkers,
      sequence: { groupOrder },
    },
  }
}

export default defineConfig({
  test: {
    projects: [
      project('unit', 0, 20, 2, 'rig'),
      project('native', 1, 30, 2),
      project('integration', 2, 60, 2),
      // Faults take processes and limits away: alone on the machine, or their deadlines measure the neighbours.
      project('faults', 3, 90, 1),
      // One Chromium at a time.
      project('browser', 4, 60, 1),
      project('package', 5, 300, 1),
    ],
    retry: 0,
    allowOnly: !process.env.CI,
    reporters: ['default', new Tally()],
  },
})
