import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { check } from '../imports.mjs'

const run = promisify(execFile)

/** What the check says of a checkout that holds `files`: its complaints, a line each. */
async function complaints(files: Record<string, string>): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'devsock-imports-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), text)
    }
    await run('git', ['init', '-q'], { cwd: root })
    return check(root).problems
  } finally {
    await rm(root, { recursive: true })
  }
}

test('imports that follow the rooms pass', async () => {
  expect(
    await complaints({
      'proxy/control/api.ts': "import { step } from '../services/machine.ts'\nimport '../../native/index.ts'",
      'cli/commands/up.ts': "await import('../ui/screen.ts')\nimport type { V } from '../ui/screen.ts'",
      'cli/client.ts': "import { ok } from '../proxy/protocol.ts'",
    }),
  ).toEqual([])
})

test.each([
  ['a leaf of the daemon that imports its services', 'proxy/logs/a.ts', "import '../services/b.ts'"],
  ['a type alone', 'proxy/services/a.ts', "import type { A } from '../control/b.ts'"],
  ['an export-from', 'proxy/services/a.ts', "export * from '../main.ts'"],
  ['a command line that imports the daemon', 'cli/a.ts', "import '../proxy/main.ts'"],
  ['a command line that loads the addon', 'cli/a.ts', "import '../native/index.ts'"],
  ['an addon that knows the daemon', 'native/a.ts', "import '../proxy/config/types.ts'"],
  ['a protocol that imports', 'proxy/protocol.ts', "import './config/types.ts'"],
  ['Ink outside of the screen', 'cli/commands/up.ts', "import { render } from 'ink'"],
  ['a screen loaded with every command', 'cli/main.ts', "import './ui/screen.ts'"],
])('%s is named with its file and line', async (_, file, text) => {
  expect(await complaints({ [file]: `\n${text}\n` })).toEqual([expect.stringContaining(`${file}:2: `)])
})

test('a cycle between files of the daemon is named', async () => {
  const files = { 'proxy/logs/a.ts': "import './b.ts'", 'proxy/logs/b.ts': "import './a.ts'" }
  expect(await complaints(files)).toEqual([
    expect.stringContaining('proxy/logs/a.ts → proxy/logs/b.ts → proxy/logs/a.ts'),
  ])
})
