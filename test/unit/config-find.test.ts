import { chmod, mkdir, symlink } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { findConfiguration } from '../../proxy/config/find.ts'
import { TestFolder } from './config-folder.ts'

async function found(folder: TestFolder, below = '.', named: string | null = null): Promise<string> {
  const result = await findConfiguration(folder.file(below), named)
  if (!result.ok) return `${result.failure.code}: ${result.failure.message.replaceAll(folder.path, '.')}`
  const { dir, file, local } = result.value
  return [dir, file, local ?? '-'].map((path) => path.replace(folder.path, '.')).join(' ')
}

describe('the configuration is the nearest one upward', () => {
  test.each(['ts', 'mts', 'js', 'mjs', 'json'])('devsock.config.%s', async (extension) => {
    const name = `devsock.config.${extension}`
    await using folder = await TestFolder.with({ [name]: '', 'a/b/c.txt': '' })
    expect(await found(folder)).toBe(`. ./${name} -`)
    expect(await found(folder, 'a/b')).toBe(`. ./${name} -`)
  })

  test('"devsock" in package.json, if it is an object', async () => {
    await using folder = await TestFolder.with({
      'package.json': { devsock: { services: {} } },
      'a/package.json': { name: 'a', dependencies: { devsock: '1' }, devsock: 'no' },
    })
    expect(await found(folder, 'a')).toBe('. ./package.json -')
  })

  test('a package.json that is broken and holds it', async () => {
    await using folder = await TestFolder.with({
      'package.json': '{ "devsock": {, }',
      'a/package.json': '{ "x": ',
    })
    expect(await found(folder, 'a')).toBe('. ./package.json -')
  })

  test('nearer than that of a folder above', async () => {
    await using folder = await TestFolder.with({ 'devsock.config.ts': '', 'a/devsock.config.json': '' })
    expect(await found(folder, 'a')).toBe('./a ./a/devsock.config.json -')
  })

  test('up to the git root and no further', async () => {
    await using folder = await TestFolder.with({ 'devsock.config.ts': '', 'a/.git/HEAD': '', 'a/b/x': '' })
    expect(await found(folder, 'a/b')).toBe(
      'configuration-missing: no devsock.config.ts in ./a/b or above it',
    )
  })

  test('never in a folder above where everybody may write', async () => {
    await using folder = await TestFolder.with({ 'tmp/devsock.config.js': '', 'tmp/mine/x': '' })
    await chmod(folder.file('tmp'), 0o1777)
    expect(await found(folder, 'tmp/mine')).toMatch('configuration-missing')
    expect(await found(folder, 'tmp')).toBe('./tmp ./tmp/devsock.config.js -')
  })

  test('with devsock.local.* beside it', async () => {
    await using folder = await TestFolder.with({ 'devsock.config.ts': '', 'devsock.local.mjs': '' })
    expect(await found(folder)).toBe('. ./devsock.config.ts ./devsock.local.mjs')
  })

  test('by its real path', async () => {
    await using folder = await TestFolder.with({ 'devsock.config.ts': '' })
    await mkdir(folder.file('links'))
    await symlink(folder.path, folder.file('links/shop'))
    expect(await found(folder, 'links/shop')).toBe('. ./devsock.config.ts -')
  })
})

describe('what is not clear is asked back', () => {
  test('two configurations in one folder', async () => {
    await using folder = await TestFolder.with({ 'devsock.config.ts': '', 'package.json': { devsock: {} } })
    expect(await found(folder)).toBe(
      'configuration-invalid: . has two configurations, devsock.config.ts and package.json',
    )
  })

  test('two local ones', async () => {
    await using folder = await TestFolder.with({
      'devsock.config.ts': '',
      'devsock.local.ts': '',
      'devsock.local.json': '',
    })
    expect(await found(folder)).toBe(
      'configuration-invalid: . has both devsock.local.ts and devsock.local.json',
    )
  })

  test('a folder that is not there', async () => {
    await using folder = await TestFolder.with({})
    expect(await found(folder, 'nowhere')).toBe('configuration-missing: there is no folder ./nowhere')
  })
})

describe('a configuration that is named', () => {
  test('is taken, from the folder of the command', async () => {
    await using folder = await TestFolder.with({ 'a/dev.config.ts': '', 'devsock.config.ts': '' })
    expect(await found(folder, '.', 'a/dev.config.ts')).toBe('./a ./a/dev.config.ts -')
    expect(await found(folder, 'a', folder.file('devsock.config.ts'))).toBe('. ./devsock.config.ts -')
  })

  test('must be there, and be one', async () => {
    await using folder = await TestFolder.with({ 'dev.yaml': '' })
    expect(await found(folder, '.', 'a/dev.ts')).toBe(
      'configuration-missing: there is no configuration ./a/dev.ts',
    )
    expect(await found(folder, '.', 'dev.yaml')).toBe('configuration-invalid: ./dev.yaml is no configuration')
    expect(await found(folder, '.', '.')).toMatch('there is no configuration')
  })
})
