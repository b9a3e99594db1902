// Runs the native tests on the build with sanitizers (native/build.mjs --sanitize).
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startVitest } from 'vitest/node'

const compiler = process.env.CXX ?? 'g++'
const library = (name) => execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()

Object.assign(process.env, {
  DEVSOCK_NATIVE_DIR: fileURLToPath(new URL('../../native/build-sanitize', import.meta.url)),
  // Node itself is not built with ASan, so its runtime has to be there before the addon that is: in the processes
  // that are started from here on. This one loads no addon, and so does without.
  LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
  // Node frees little when it ends: leaks are for the tests of close() to find.
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:handle_segv=0',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
})

const root = fileURLToPath(new URL('../..', import.meta.url))
// What fails sets the exit code.
await startVitest('test', process.argv.slice(2), { root, project: ['native'], watch: false })
