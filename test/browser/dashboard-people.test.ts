/** The dashboard as people use it: without a mouse, on a phone, by night, and when something is wrong. */
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { CHECKOUT, Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** A program that has a port, once it has it. */
async function squat(rig: Rig, port: number, name: string): Promise<ReturnType<Rig['spawn']>> {
  await rig.write({
    [name]: `import { createServer } from 'node:http'\ncreateServer().listen(${port}, () => console.log('here'))`,
  })
  const squatter = rig.spawn(['node', name])
  await rig.eventually(() => squatter.stdout.includes('here'), { what: 'a squatter' })
  return squatter
}

/** Its own second port is taken: it ends with what Node says then. */
const ADMIN = (port: number): string => `
import { createServer } from 'node:http'
createServer((request, response) => response.end('admin')).listen(${port}, () => {
  createServer((request, response) => response.end('v1')).listen({ fd: 3 })
})
`

test('from the dashboard alone: why a service fails, whose its port is, freed, and it comes up', async () => {
  await using rig = await Rig.create()
  const [api, admin] = [await rig.port(), await rig.port()]
  await rig.write({ 'api.mjs': ADMIN(admin) })
  const squatter = await squat(rig, admin, 'forgotten.mjs')
  await rig.configure({
    api: { command: ['node', 'api.mjs'], listen: api, start: 'eager', retry: { limit: 0 } },
  })
  await rig.up()
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard

  // The overview says that something is wrong, and that it waits for nobody.
  await page.getByRole('link', { name: 'Problems 1' }).click()
  const trouble = page.getByRole('article', { name: 'shop/api' })
  await trouble.getByText('failed', { exact: true }).waitFor()
  await trouble.getByText(/exit 1/).waitFor()

  // Why: its log has a line in red. The port in it is all that is used from here on.
  await trouble.getByRole('link', { name: 'shop/api' }).click()
  const said = await page
    .getByRole('log')
    .getByText(/EADDRINUSE.*:\d+$/)
    .first()
    .textContent()
  const taken = /:(\d+)$/.exec(said ?? '')?.[1] ?? ''

  await page.getByRole('link', { name: 'Ports' }).click()
  await page.getByRole('searchbox').fill(taken)
  await page.getByRole('row').getByText('node forgotten.mjs').waitFor()
  await page.getByRole('button', { name: `Free ${taken}` }).click()
  await page.getByRole('dialog').getByText('node forgotten.mjs').waitFor()
  await page.getByRole('button', { name: 'End it and free the port' }).click()
  await page.getByText(`port ${taken} is free`).waitFor()

  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('button', { name: 'Start api' }).click()
  await dashboard.card('api').getByText('ready', { exact: true }).waitFor()
  await page.getByRole('link', { name: 'Problems', exact: true }).waitFor()
  await squatter.finished()
  expect((await rig.request(api)).body).toBe('v1')
})

test('everything can be done without a mouse', async () => {
  await using rig = await Rig.create({ files: { 'web.mjs': nodeServer(), 'api.mjs': nodeServer() } })
  const [web, api] = [await rig.port(), await rig.port()]
  await rig.configure({
    web: { command: ['node', 'web.mjs'], listen: web },
    api: { command: ['node', 'api.mjs'], listen: api },
  })
  await rig.up()
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  const { keyboard } = page
  const card = dashboard.card('api')
  const shows = (text: string) => card.getByText(text, { exact: true }).waitFor()
  await shows('held')

  await keyboard.press('j')
  await keyboard.press('j')
  await keyboard.press('s')
  await shows('ready')
  await keyboard.press('r')
  await card.getByText('generation 2').waitFor()
  await shows('ready')
  await keyboard.press('z')
  await shows('held')
  const opened = page.waitForEvent('popup')
  await keyboard.press('o')
  await (await opened).close()
  await shows('ready')
  await keyboard.press('s')
  await shows('stopped')

  // Somebody takes the port meanwhile: the question is answered with Tab and Enter.
  const squatter = await squat(rig, api, 'thief.mjs')
  await keyboard.press('s')
  await shows('conflict')
  await page
    .getByRole('alert')
    .getByText(/is taken by node thief\.mjs/)
    .waitFor()
  await keyboard.press('f')
  await page.getByRole('dialog').getByText('node thief.mjs').waitFor()
  await keyboard.press('Tab')
  await keyboard.press('Enter')
  await squatter.finished()
  await shows('ready')

  // The focus is where it was.
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'api', exact: true }).waitFor()
  await keyboard.press('/')
  await keyboard.type('nothing like it')
  await page.getByText(/^0 of/).waitFor()
  await keyboard.press('Escape')
  await keyboard.press('Escape')
  await card.waitFor()
  await keyboard.press('2')
  await page.getByRole('heading', { name: 'Who connects to whom' }).waitFor()
  await keyboard.press('3')
  await page.getByRole('heading', { name: 'Ports of this machine' }).waitFor()
  await keyboard.press('4')
  await page.getByRole('heading', { name: 'Problems' }).waitFor()
  await keyboard.press('?')
  await page.getByRole('dialog').getByText('start it, or stop it').waitFor()
  await keyboard.press('Escape')
  await keyboard.press('1')
  await card.waitFor()
  expect(dashboard.errors).toEqual([])
})

const VIEWS = ['#/', '#/services/shop/web', '#/services/shop/broken', '#/graph', '#/ports', '#/problems']
/** axe looks at eighteen pages: longer than a test has by itself, on a machine that is busy. */
const AXE_MS = 240_000
const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 360, height: 740 } },
] as const

async function seriousFindings(page: Page): Promise<string[]> {
  // As an expression of the debugger's: the page's policy lets no script in.
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
    )
}

test(
  'no view has a serious finding of axe, by day, by night, and on a phone, which none overflows',
  async () => {
    const lines = String.raw`for (let colour = 30; colour < 38; colour++) console.log('\x1b[' + colour + 'mcolour\x1b[0m \x1b[' + (colour + 60) + 'mbright\x1b[0m')`
    await using rig = await Rig.create({ files: { 'web.mjs': nodeServer('v1', lines) } })
    const web = await rig.port()
    await rig.configure({
      web: { command: ['node', 'web.mjs'], listen: web },
      broken: { command: ['false'], listen: await rig.port(), start: 'eager', retry: { limit: 0 } },
    })
    await rig.up()
    await rig.request(web)
    await rig.until('broken', 'failed')
    for (const { name, ...look } of LOOKS) {
      await using dashboard = await DashboardPage.open(browser, rig, '#/', look)
      const { page } = dashboard
      for (const view of VIEWS) {
        await dashboard.go(view)
        await page
          .getByRole(view.includes('services') ? 'log' : 'heading')
          .first()
          .waitFor()
        expect(await seriousFindings(page), `${name} ${view}`).toEqual([])
        const { wide, high } = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          high: document.documentElement.scrollHeight,
        }))
        expect(wide, `${name} ${view} is ${high} high`).toBeLessThanOrEqual(0)
      }
    }
  },
  AXE_MS,
)

test('what changes moves nothing: no shift of the layout while services start, swap and sleep', async () => {
  await using rig = await Rig.create({ files: { 'web.mjs': nodeServer(), 'api.mjs': nodeServer() } })
  const service = async (name: string) => ({ command: ['node', `${name}.mjs`], listen: await rig.port() })
  await rig.configure({ web: await service('web'), api: await service('api') })
  await rig.up()
  await using dashboard = await DashboardPage.open(browser, rig)
  await dashboard.page.evaluate(() => {
    const shifts: number[] = []
    Object.assign(window, { shifts })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        shifts.push((entry as PerformanceEntry & { value: number }).value)
    }).observe({ type: 'layout-shift', buffered: false })
  })
  for (const [verb, state] of [
    ['start', 'ready'],
    ['restart', 'ready'],
    ['sleep', 'held'],
    ['stop', 'stopped'],
  ] as const) {
    await rig.succeed(verb, 'web')
    await dashboard.card('web').getByText(state, { exact: true }).waitFor()
  }
  const shifts = await dashboard.page.evaluate(() => (window as unknown as { shifts: number[] }).shifts)
  expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.01)
})

test('nothing up teaches how to begin; what comes up appears by itself', async () => {
  await using rig = await Rig.create()
  await rig.configure({ api: { command: 'true', listen: await rig.port() } })
  const up = await rig.up()
  expect(up.code).toBe(0)
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  await dashboard.card('api').waitFor()
  await rig.succeed('down')
  // The daemon leaves with the last project: the page says that, and what to do.
  await page.getByText('devsock is away').waitFor()
  await page.getByText('devsock up').first().waitFor()
})

test('the page is less than 150 kB, compressed', async () => {
  const folder = join(CHECKOUT, 'dist/runtime/dashboard')
  const files = (await readdir(folder, { recursive: true })).filter((name) =>
    /\.(html|js|css|svg)$/.test(name),
  )
  const sizes = await Promise.all(
    files.map(async (name) => gzipSync(await readFile(join(folder, name))).length),
  )
  const total = sizes.reduce((sum, size) => sum + size, 0)
  expect(files.length).toBeGreaterThan(3)
  expect(total).toBeLessThan(150_000)
})
