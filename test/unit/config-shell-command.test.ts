import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shellArguments } from '../../proxy/config/shell-command.ts'

const run = (line: string): string => {
  const [shell = '', ...rest] = shellArguments(line)
  return execFileSync(shell, rest, { encoding: 'utf8', env: { PATH: process.env.PATH, WORD: 'word' } }).trim()
}
const replaced = (line: string): boolean => shellArguments(line)[2] !== line

test.each([
  'node server.js',
  'npm run dev -- --port 3000',
  `node -e "a; b"`,
  `'my server' $WORD`,
  'sh -c "x && y"',
])('a simple command replaces its shell: %s', (line) => {
  expect(replaced(line)).toBe(true)
})

test.each([
  'npm run build && node .',
  'node a & node b',
  'cd api; node .',
  'cd api',
  'FOO=1 node .',
  'node . > log',
  '(node .)',
  'if true; then node .; fi',
  'node `which x`',
  'echo "open',
  '. ./env',
  '',
])('what needs its shell keeps it: %s', (line) => {
  expect(replaced(line)).toBe(false)
})

test.each([
  ['printf %s\\\\n "a b"', 'a b'],
  [`node -p "'it' + ' works'"`, 'it works'],
  ['cat /dev/null; node -p 1', '1'],
  ['env printf "%s" "$WORD"', 'word'],
])('%s does what it does in a shell', (line, output) => {
  expect(run(line)).toBe(output)
})

test('the process is the server itself', () => {
  expect(run('node -p "process.ppid"')).toBe(String(process.pid))
})
