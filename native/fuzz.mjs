// Builds the fuzz target of the holder's parsers with clang and runs it for a bounded time: 20 s, or the number of
// seconds given. Ends with 1 where an input breaks a promise; that input is written to native/build-fuzz/.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = dirname(fileURLToPath(import.meta.url))
const work = join(native, 'build-fuzz')
const parsers = ['address', 'request', 'spec', 'text'].map((name) => join(native, 'holder', `${name}.cc`))

/** What went wrong, after all that the command said; libFuzzer says much also when nothing is wrong. */
function run(command, args, onSuccess = () => {}) {
  const { status, error, stderr } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (error) return error.code === 'ENOENT' ? `no ${command} on PATH` : error.message
  if (status !== 0) return `${stderr}${command} ended with status ${status}`
  onSuccess(stderr)
  return null
}

const report = (said) =>
  console.log(`${/number_of_executed_units: (\d+)/.exec(said)?.[1]} inputs, nothing found`)

function fuzz(seconds) {
  if (!Number.isInteger(seconds) || seconds < 1) return 'usage: node native/fuzz.mjs [SECONDS]'
  const corpus = join(work, 'corpus')
  mkdirSync(corpus, { recursive: true })
  const target = join(work, 'parsers')
  const flags = ['-std=c++20', '-g', '-O1', '-Wall', '-Wextra', '-Werror']
  const built = run('clang++', [
    ...flags,
    '-fsanitize=fuzzer,address,undefined',
    '-fno-sanitize-recover=undefined',
    join(native, 'fuzz', 'parsers.cc'),
    ...parsers,
    '-o',
    target,
  ])
  // What earlier runs found goes on from there; the seeds are only read.
  return (
    built ??
    run(
      target,
      [
        `-max_total_time=${seconds}`,
        '-max_len=4096',
        '-print_final_stats=1',
        '-verbosity=0',
        `-artifact_prefix=${work}/`,
        corpus,
        join(native, 'fuzz', 'seeds'),
      ],
      report,
    )
  )
}

const problem = fuzz(Number(process.argv[2] ?? 20))
if (problem) {
  console.error(problem)
  process.exitCode = 1
}
