/** The first configuration: what is found is shown, asked about where somebody can answer, and never written over. */
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CHECKOUT, type Files, Rig } from '../rig/rig.ts'

/** A shop of two servers, as interfaces go: a framework with its own reloader and a plain one. */
const SHOP: Files = {
  'package.json': {
    name: 'shop',
    scripts: { 'dev:web': 'vite', 'dev:api': 'node src/api.js' },
    devDependencies: { vite: '*' },
    dependencies: { express: '*' },
  },
  'src/api.js': 'app.listen(process.env.PORT || 3001)\n',
}

const WRITTEN = `{
  services: {
    web: 'npm run dev:web',
    api: { command: 'npm run dev:api', listen: 3001, watch: ['src/**'] },
  },
}`

const configuration = (rig: Rig, name = 'devsock.config.ts'): Promise<string> =>
  readFile(join(rig.dir, name), 'utf8')

test('init shows what it found and writes nothing where there is nobody to ask', async () => {
  await using rig = await Rig.create({ files: SHOP })
  const { code, stdout, stderr } = await rig.devsock('init')
  expect(code).toBe(2)
  expect(stdout).toMatch(/ {2}web {2}npm run dev:web {2}Vite +http:\/\/localhost:5173\n/)
  expect(stdout).toMatch(
    / {2}api {2}npm run dev:api {2}Express {2}http:\/\/localhost:3001 {2}watch src\/\*\*\n/,
  )
  expect(stdout).toContain(WRITTEN)
  expect(stderr).toContain('devsock init --yes')
  await expect(configuration(rig)).rejects.toThrow('ENOENT')
})

test('init --yes writes a configuration that devsock takes, in the fewest words', async () => {
  await using rig = await Rig.create({ files: SHOP })
  const { stdout } = await rig.succeed('init', '--yes')
  expect(stdout).toContain('✓ wrote devsock.config.ts')
  expect(await configuration(rig)).toBe(`export default ${WRITTEN}\n`)
  expect((await rig.succeed('check')).stdout).toContain('2 services')
})

test('types are imported where devsock is installed', async () => {
  await using rig = await Rig.create({ files: { ...SHOP, 'node_modules/.keep': '' } })
  await symlink(CHECKOUT, join(rig.dir, 'node_modules/devsock'))
  await rig.succeed('init', '--yes')
  expect(await configuration(rig)).toBe(
    `import { defineConfig } from 'devsock'\n\nexport default defineConfig(${WRITTEN})\n`,
  )
  await rig.succeed('check')
})

test('without a package.json it is JSON', async () => {
  await using rig = await Rig.create({ files: { 'manage.py': '', 'requirements.txt': 'django==5.0\n' } })
  await rig.succeed('init', '--yes')
  expect(JSON.parse(await configuration(rig, 'devsock.config.json'))).toEqual({
    name: 'project',
    services: { web: 'python manage.py runserver' },
  })
  expect((await rig.succeed('check')).stdout).toContain('1 service')
})

test('of two servers with one usual port the second is mapped to the next', async () => {
  const scripts = { 'dev:a': 'vite', 'dev:b': 'vite', 'dev:c': 'next dev', 'dev:d': 'next dev' }
  await using rig = await Rig.create({ files: { 'package.json': { scripts } } })
  await rig.succeed('init', '--yes')
  expect(await configuration(rig)).toContain('listen: { address: 5174, binds: 5173 } }')
  expect(await configuration(rig)).toContain("listen: { address: 3001, binds: 3000 }, swap: 'exclusive' }")
  await rig.succeed('check')
})

test('a configuration is never written over', async () => {
  await using rig = await Rig.create({ files: { ...SHOP, 'devsock.config.mjs': 'export default {}\n' } })
  const { code, stderr } = await rig.devsock('init', '--yes')
  expect(code).toBe(2)
  expect(stderr).toContain('has a configuration already')
  await expect(configuration(rig)).rejects.toThrow('ENOENT')
})

test('where no server is known, what to write is said', async () => {
  await using rig = await Rig.create({ files: { 'notes.txt': '' } })
  const { code, stderr } = await rig.devsock('init', '--yes')
  expect(code).toBe(2)
  expect(stderr).toContain('No server is known')
  expect(stderr).toContain('listen: 3000')
})

test('up without a configuration names the command that writes one', async () => {
  await using rig = await Rig.create({ files: SHOP })
  const { code, stderr } = await rig.devsock('up', '-d')
  expect(code).toBe(2)
  expect(stderr).toContain('devsock init --yes')
})

/** script(1) gives its command a terminal, and types what it reads. */
const typed = (rig: Rig, keys: string, ...args: string[]) => {
  const cli = `'${process.execPath}' '${join(CHECKOUT, 'dist/cli/main.cjs')}' ${args.join(' ')}`
  return rig.spawn(['sh', '-c', `printf '${keys}' | script -qefc "$0" /dev/null`, cli])
}

test('on a terminal up asks, and no is an answer', async () => {
  await using rig = await Rig.create({ files: SHOP })
  const { code, stdout } = await typed(rig, 'n\\n', 'up', '-d').finished()
  expect(stdout).toContain('npm run dev:api')
  expect(stdout).toContain('No configuration here. Found in package.json:')
  expect(stdout).toContain('Write devsock.config.ts and start? [Y/n]')
  expect(code).toBe(0)
  await expect(configuration(rig)).rejects.toThrow('ENOENT')
})

test('on a terminal up asks, writes, and starts', async () => {
  await using rig = await Rig.create({ files: SHOP })
  const { code, stdout } = await typed(rig, '\\n', 'up', '-d', '--auto-ports').finished()
  expect(stdout).toContain('wrote devsock.config.ts')
  expect(stdout).toContain('2 ports held')
  expect(code).toBe(0)
  expect(await configuration(rig)).toContain(WRITTEN)
})
