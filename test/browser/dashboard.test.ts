/** The dashboard in Chromium, against a real daemon with real services. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

interface Shop {
  rig: Rig
  web: number
  api: number
}

/** `web` and `api`, both held. */
async function shop(extra = ''): Promise<Shop> {
  const rig = await Rig.create({ files: { 'web.mjs': nodeServer('v1', extra), 'api.mjs': nodeServer() } })
  const [web, api] = [await rig.port(), await rig.port()]
  await rig.configure({
    web: { command: ['node', 'web.mjs'], listen: web, watch: ['web.mjs'] },
    api: { command: ['node', 'api.mjs'], listen: api, watch: ['api.mjs'], retry: { limit: 0 } },
  })
  await rig.up()
  return { rig, web, api }
}

test('the overview shows every service live: state, reason, address, generation, pid, swap', async () => {
  const { rig, web } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const card = dashboard.card('web')
  await card.getByText('held', { exact: true }).waitFor()
  await card.getByText('nothing has asked yet').waitFor()
  expect(await card.getByRole('link', { name: `http://localhost:${web}` }).getAttribute('target')).toBe(
    '_blank',
  )
  await rig.request(web)
  const { pid } = await rig.until('web', 'ready')
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByText('generation 1 · inherited').waitFor()
  await card.getByText(`pid ${pid}`).waitFor()
  await card.getByText(/^\d+ MB · \d+ %$/).waitFor()
  await rig.edit('web.mjs', bump)
  await card.getByText('generation 2 · inherited').waitFor()
  await card.getByText(/swap \d+ ms/).waitFor()
  expect(dashboard.errors).toEqual([])
  // Nothing is fetched from anywhere else.
  expect([...dashboard.hosts]).toEqual([new URL(dashboard.origin).host])
})

test('the token leaves the address, and a page without it shows nothing but how to come in', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  expect(page.url()).not.toMatch(/#[\w-]{16}/)
  expect(await page.context().cookies()).toEqual([])
  expect(await page.evaluate(() => localStorage.length)).toBe(0)
  await page.reload()
  await dashboard.card('web').waitFor()
  const other = await page.context().newPage()
  await other.goto(dashboard.origin)
  await other.getByText('npx devsock open').waitFor()
  expect(await other.getByText('web').count()).toBe(0)
  await other.goto(`${dashboard.origin}#${'A'.repeat(24)}`)
  await other.getByText('of another devsock').waitFor()
})

test('start, restart, sleep and stop do what they say', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const card = dashboard.card('api')
  await card.getByRole('button', { name: 'Start api' }).click()
  await card.getByText('generation 1').waitFor()
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByRole('button', { name: 'Restart api' }).click()
  await card.getByText('generation 2').waitFor()
  await card.getByText('ready', { exact: true }).waitFor()
  await card.getByRole('button', { name: 'Sleep api' }).click()
  await card.getByText('held', { exact: true }).waitFor()
  expect(await rig.service('api')).toMatchObject({ state: 'held', pid: null })
  await card.getByRole('button', { name: 'Stop api' }).click()
  await card.getByText('stopped', { exact: true }).waitFor()
  expect((await rig.service('api')).state).toBe('stopped')
  await card.getByRole('button', { name: 'Start api' }).click()
  await card.getByText('ready', { exact: true }).waitFor()
})

test('opening a service is a connection, which wakes it', async () => {
  const { rig, api } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const popup = dashboard.page.waitForEvent('popup')
  await dashboard
    .card('api')
    .getByRole('link', { name: `http://localhost:${api}` })
    .click()
  const opened = await popup
  await opened.getByText('v1').waitFor()
  // The page that is opened cannot reach back, nor learn where it came from.
  expect(await opened.evaluate(() => [window.opener, document.referrer])).toEqual([null, ''])
  await dashboard.card('api').getByText('first connection', { exact: false }).waitFor()
})

test('a service’s page has its log, which follows, and its timeline', async () => {
  const { rig, web } = await shop("setInterval(() => console.log('tick ' + Date.now()), 20)")
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const { page } = dashboard
  const log = page.getByRole('log')
  await log.getByText(/^tick/).first().waitFor()
  const atEnd = () =>
    log.evaluate((e) => e.scrollHeight > e.clientHeight && e.scrollHeight - e.scrollTop - e.clientHeight < 24)
  await rig.eventually(atEnd, { what: 'a log that follows' })
  // Scrolling up pauses; the button follows again.
  await log.hover()
  await page.mouse.wheel(0, -200)
  const follow = page.getByRole('button', { name: /new lines? ↓/ })
  await follow.waitFor()
  const top = await log.evaluate((element) => element.scrollTop)
  await page.getByRole('button', { name: /1\d new lines ↓/ }).waitFor()
  expect(await log.evaluate((element) => element.scrollTop)).toBe(top)
  await follow.click()
  await rig.eventually(atEnd, { what: 'a log that follows again' })
  await rig.edit('web.mjs', bump)
  const timeline = page.getByRole('region', { name: 'timeline' })
  await timeline.getByText(/web\.mjs · \d+ ms · \d+ queued · \d+ moved · 0 cut/).waitFor()
  // A generation of the timeline filters the log.
  await timeline.getByRole('button', { name: '#2' }).click()
  await page.getByText(/\d+ of \d+ lines/).waitFor()
  expect(dashboard.errors).toEqual([])
})

test('a filter survives a reload; copy, wrap and clear work on what it lets through', async () => {
  const lines =
    "for (let i = 0; i < 500; i++) console.log('line ' + i + (i % 50 === 0 ? ' error: broken' : ' fine'))"
  const { rig, web } = await shop(lines)
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web', {
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const { page } = dashboard
  await page.getByText('500 lines', { exact: true }).waitFor()
  await page.getByRole('searchbox').fill('/line (1|2)00 /')
  await page.getByText('2 of 500 lines').waitFor()
  expect(await page.locator('mark').allTextContents()).toEqual(['line 100 ', 'line 200 '])
  await page.waitForURL(/q=/)
  await page.reload()
  await page.getByText('2 of 500 lines').waitFor()
  await page.getByRole('button', { name: 'Copy' }).click()
  await page.getByText('2 lines copied').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    'line 100 error: broken\nline 200 error: broken\n',
  )
  await page.getByRole('searchbox').fill('')
  await page.getByRole('combobox', { name: 'level' }).selectOption('errors')
  await page.getByText('10 of 500 lines').waitFor()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download' }).click()
  const path = await (await download).path()
  expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(10)
  await page.getByRole('button', { name: 'Wrap' }).click()
  expect(await page.getByRole('button', { name: 'Wrap' }).getAttribute('aria-pressed')).toBe('true')
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.getByText('No line passes the filter.').waitFor()
  expect(dashboard.errors).toEqual([])
})

test('of a log of 100,000 lines the last 10,000 are there, in a handful of elements', async () => {
  const { rig, web } = await shop(
    "console.log(Array.from({ length: 100000 }, (_, i) => 'line ' + i).join('\\n'))",
  )
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const log = dashboard.page.getByRole('log')
  await log.getByText('line 99999').waitFor()
  expect(await dashboard.page.locator('.log-line').count()).toBeLessThan(150)
  await dashboard.page.getByText('10000 lines').waitFor()
})

/** What programs print, and what people who want to harm a page would have them print. */
const CORPUS = [
  '<script>window.pwned = 1</script>',
  '<img src=x onerror="window.pwned = 1">',
  '<svg/onload=window.pwned=1>',
  '"><iframe src="javascript:parent.pwned=1"></iframe>',
  '\u001b[31m<b onmouseover=window.pwned=1>red</b>\u001b[0m',
  '\u001b]8;;javascript:window.pwned=1\u001b\\a link\u001b]8;;\u001b\\',
  '\u001b]0;a title\u0007\u001b]52;c;cHduZWQ=\u0007after',
  '\u001b[2J\u001b[H\u001b[?1049hcleared',
  '\u001b[38;2;1;2;3;url(http://evil.example/)mcolour',
  '\u001b[38;5;999999mfar\u001b[48;2;999;0;0mred',
  '\u202ereversed\u2066',
  '{{constructor.constructor("window.pwned=1")()}}',
  'a\u0000b\u0008c',
  '50 %\r100 %',
]

test('whatever a service prints is text: no markup, no script, no link, no escape', async () => {
  const { rig, web } = await shop(
    `for (const line of ${JSON.stringify(CORPUS)}) console.log(line)\nconsole.log('END')`,
  )
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const { page } = dashboard
  await page.getByRole('log').getByText('END').waitFor()
  const lines = await page.locator('.log-text').allTextContents()
  expect(lines).toEqual([
    '<script>window.pwned = 1</script>',
    '<img src=x onerror="window.pwned = 1">',
    '<svg/onload=window.pwned=1>',
    '"><iframe src="javascript:parent.pwned=1"></iframe>',
    '<b onmouseover=window.pwned=1>red</b>',
    'a link',
    'after',
    'cleared',
    // `u` ends the sequence, as ECMA-48 has it; the rest is text.
    'rl(http://evil.example/)mcolour',
    'farred',
    'reversed',
    '{{constructor.constructor("window.pwned=1")()}}',
    'abc',
    '100 %',
    'END',
  ])
  expect(await page.locator('.log-lines :is(script, img, svg, iframe, a, b)').count()).toBe(0)
  expect(await page.locator('.log-text .ansi-1').first().textContent()).toContain('<b onmouseover')
  expect(await page.evaluate(() => 'pwned' in window)).toBe(false)
  expect(await page.title()).toContain('devsock')
  expect(dashboard.errors).toEqual([])
  expect([...dashboard.hosts]).toEqual([new URL(dashboard.origin).host])
})

test('ports lists this machine and frees one after a question that says whose it is', async () => {
  const { rig } = await shop()
  await using _ = rig
  const port = await rig.port()
  await rig.write({
    'squatter.mjs': `import { createServer } from 'node:http'\ncreateServer().listen(${port})`,
  })
  const squatter = rig.spawn(['node', 'squatter.mjs'])
  await rig.eventually(() =>
    rig.request(port, '/', { deadline: 50 }).catch(({ code }) => code !== 'ECONNREFUSED'),
  )
  await using dashboard = await DashboardPage.open(browser, rig, '#/ports')
  const { page } = dashboard
  await page.getByRole('link', { name: 'shop/web' }).waitFor()
  await page.getByRole('searchbox').fill('squatter')
  await page.getByRole('button', { name: `Free ${port}` }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('node squatter.mjs').waitFor()
  await dialog.getByText(String(squatter.pid)).waitFor()
  await dialog.getByText(rig.dir).waitFor()
  // The harmless answer is the near one.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  expect(squatter.child.exitCode).toBe(null)
  await page.getByRole('button', { name: `Free ${port}` }).click()
  await dialog.getByRole('button', { name: 'End it and free the port' }).click()
  await page.getByText(`port ${port} is free: ended pid ${squatter.pid}`).waitFor()
  await squatter.finished()
  await page.getByText('No port passes the filter.').waitFor()
})

test('a configuration that is not applied is shown with its place, and goes when it is mended', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig, '#/problems')
  const { page } = dashboard
  await page.getByText('None. A service that fails').waitFor()
  const path = join(rig.dir, 'devsock.config.json')
  const good = readFileSync(path, 'utf8')
  writeFileSync(path, good.replace('"command"', '"comand"'))
  await page
    .getByText(/devsock\.config\.json:\d+:\d+/)
    .first()
    .waitFor()
  await page.getByText('comand', { exact: false }).first().waitFor()
  writeFileSync(path, good)
  await page.getByText('None. A service that fails').waitFor()
})

test('a daemon that is killed is said to be away, and the page is right again by itself', async () => {
  const { rig, web } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  // The banner may be gone in less than one look: it is watched for.
  await page.evaluate(() => {
    const seen = window as unknown as { banner: boolean }
    const look = () => {
      seen.banner ||= document.querySelector('.banner p') !== null
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true })
  })
  const pid = await rig.daemonPid()
  process.kill(pid, 'SIGKILL')
  await rig.eventually(() => page.evaluate(() => (window as unknown as { banner?: boolean }).banner === true))
  await rig.eventually(async () => (await rig.status()).daemon?.pid !== pid)
  await page.getByText('devsock is away').waitFor({ state: 'detached' })
  await rig.request(web)
  await dashboard.card('web').getByText('ready', { exact: true }).waitFor()
  expect(dashboard.errors).toEqual([])
})

test('a log goes on over a killed daemon: no line is missing, none is there twice', async () => {
  const { rig, web } = await shop("let n = 0; setInterval(() => console.log('line ' + n++), 20)")
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const log = dashboard.page.getByRole('log')
  await log.getByText('line 20', { exact: true }).waitFor()
  process.kill(await rig.daemonPid(), 'SIGKILL')
  // Written after the kill, and shown: the stream was begun again.
  await log
    .getByText(/^line [1-9]\d\d$/)
    .first()
    .waitFor()
  // A line that comes in the same frame may win once against the hand that scrolls.
  await rig.eventually(async () => {
    await log.evaluate((element) => element.scrollTo(0, 0))
    return (await log.getByText('line 0', { exact: true }).count()) > 0
  })
  const first = await dashboard.page.locator('.log-text').allTextContents()
  expect(first.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, index) => `line ${index}`))
  await dashboard.page.getByRole('searchbox').fill('/^line (19|20|21|50|99)$/')
  await dashboard.page.getByText(/^5 of/).waitFor()
})

test('a project that goes down goes from the page, and comes back to it', async () => {
  const { rig } = await shop()
  await using _ = rig
  const second = await rig.project('second', {
    'devsock.config.json': {
      name: 'second',
      services: { one: { command: 'true', listen: await rig.port() } },
    },
  })
  await rig.succeed('up', '-d', '-C', second)
  await using dashboard = await DashboardPage.open(browser, rig)
  await dashboard.card('one').waitFor()
  await rig.succeed('down', '-C', second)
  await dashboard.card('one').waitFor({ state: 'detached' })
  await rig.succeed('up', '-d', '-C', second)
  await dashboard.card('one').waitFor()
})

test('what happens is seen within a second; the median of 20 is reported', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using dashboard = await DashboardPage.open(browser, rig)
  const { page } = dashboard
  await rig.succeed('start', 'web')
  await dashboard.card('web').getByText('ready', { exact: true }).waitFor()
  // The time of the event, as the daemon stamped it, to the first frame after the change: one machine, one clock.
  await page.evaluate(() => {
    const latencies: number[] = []
    Object.assign(window, { latencies })
    let at = 0
    new MutationObserver(() => {
      if (at === 0) return
      const happened = at
      at = 0
      requestAnimationFrame(() => setTimeout(() => latencies.push(Date.now() - happened)))
    }).observe(document.body, { subtree: true, childList: true, characterData: true })
    Object.assign(window, {
      onService: (stamp: string) => {
        at = Date.parse(stamp)
      },
    })
  })
  // A second listener in the page, which knows when an event happened.
  await page.evaluate(async () => {
    const socket = new WebSocket(`ws://${location.host}/v1/events`)
    const token = sessionStorage.getItem('devsock-token')
    socket.onopen = () => socket.send(JSON.stringify({ token, projects: [], logs: false, lease: null }))
    const { onService } = window as unknown as { onService(stamp: string): void }
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data)
      if (event.type === 'service' && event.status.state === 'ready') onService(event.at)
    }
  })
  const count = (): Promise<number> =>
    page.evaluate(() => (window as unknown as { latencies: number[] }).latencies.length)
  for (let swap = 1; swap <= 20; swap += 1) {
    await rig.succeed('restart', 'web')
    await rig.eventually(async () => (await count()) >= swap)
  }
  const latencies = await page.evaluate(() => (window as unknown as { latencies: number[] }).latencies)
  const sorted = latencies.toSorted((a, b) => a - b)
  console.log(`event to pixel, ms: median ${sorted[sorted.length >> 1]}, worst ${sorted.at(-1)}`)
  expect(sorted[sorted.length >> 1]).toBeLessThan(1_000)
})
