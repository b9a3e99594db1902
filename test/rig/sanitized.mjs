// Runs the native tests on the build with sanitizers (native/build.mjs --sanitize).
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const compiler = process.env.CXX ?? 'g++'
const library = (name) => execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()

const vitest = fileURLToPath(new URL('vitest.mjs', import.meta.resolve('vitest/package.json')))
const { status, signal } = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'native', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      DEVSOCK_NATIVE_DIR: fileURLToPath(new URL('../../native/build-sanitize', import.meta.url)),
      // Node itself is not built with ASan, so its runtime has to be there before the addon that is.
      LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
      // Node frees little when it ends: leaks are for the tests of close() to find.
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:handle_segv=0',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    },
  },
)
process.exitCode = signal ? 1 : (status ?? 1)
