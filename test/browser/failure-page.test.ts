/** The page in place of a failed service, in Chromium. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { launchBrowser } from '../rig/browser.ts'
import { Rig } from '../rig/rig.ts'

/** Writes down everything that it is asked. */
const SERVER = (text: string): string => `require('http').createServer((request, response) => {
  require('fs').appendFileSync('asked', request.method + ' ' + request.url + '\\n')
  response.end('<title>${text}</title>')
}).listen(process.env.PORT)
`
const BROKEN = `console.error('\\x1b[31mTypeError\\x1b[0m: <img src=x onerror=alert(1)>'); process.exit(1)`

async function failing(): Promise<{ rig: Rig; url: string }> {
  const rig = await Rig.create({ files: { 'server.js': BROKEN } })
  const port = await rig.port()
  await rig.configure({ api: { command: 'node server.js', listen: port, watch: ['server.js'] } })
  await rig.up()
  return { rig, url: `http://localhost:${port}/orders` }
}

test('it shows the log in its colours, reloads itself when the next generation is there, and asks that for nothing else', async () => {
  const { rig, url } = await failing()
  await using _ = rig
  await using browser = await launchBrowser()
  const page = await browser.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => /policy|refused/i.test(message.text()) && errors.push(message.text()))
  await page.goto(url)
  expect(await page.locator('h1').textContent()).toBe(
    'exit 1 before it was ready; waits for a change in server.js',
  )
  const log = page.locator('pre .ansi-red-fg')
  expect(await log.textContent()).toBe('TypeError')
  expect(await page.locator('pre img').count()).toBe(0)
  for (const [colorScheme, red] of [
    ['light', 'rgb(179, 38, 30)'],
    ['dark', 'rgb(255, 123, 114)'],
  ] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await log.evaluate((element) => getComputedStyle(element).color)).toBe(red)
  }
  // Broken once more: another reason, on the same page.
  await rig.write({ 'server.js': 'process.exit(4)' })
  await page.getByText('exit 4 before it was ready').waitFor()
  await rig.write({ 'server.js': SERVER('back') })
  await page.waitForFunction(() => document.title === 'back')
  expect(errors).toEqual([])
  const asked = await readFile(join(rig.dir, 'asked'), 'utf8')
  expect(asked.split('\n').filter((line) => line.includes('/orders'))).toEqual(['GET /orders'])
})

test('it does not wake what was put to rest', async () => {
  const { rig, url } = await failing()
  await using _ = rig
  await using browser = await launchBrowser()
  const page = await browser.newPage()
  await page.goto(url)
  await rig.succeed('sleep', 'api')
  await page.getByText('It was put to rest.').waitFor()
  const { state, generation } = await rig.service('api')
  expect([state, generation]).toEqual(['held', 1])
})
