import type { Reporter, TestModule } from 'vitest/node'

/**
 * Writes the run's last line, `N passed, M failed`, which `.ci/run` ends with. What kept a test from
 * being run counts as a failure: a file that cannot be loaded, an error outside of any test and, under
 * CI, a test that is skipped or still to be written.
 */
export class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) count[test.result().state] += 1
    }
    // A test that never got a result was lost with its worker.
    let failed = count.failed + count.pending
    if (process.env.CI) failed += count.skipped
    else if (count.skipped > 0) process.stdout.write(`${count.skipped} skipped\n`)
    if (failed > 0) process.exitCode = 1
    // Vitest still prints after this, about handles that keep it from ending; the tally comes after all of it.
    process.once('exit', () => process.stdout.write(`${count.passed} passed, ${failed} failed\n`))
  }
}
