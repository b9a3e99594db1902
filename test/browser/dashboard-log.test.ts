/** The log of a service on its page: what is shown, kept, found, and never run. */
import { readFileSync } from 'node:fs'
import type { Browser, Locator } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { bump } from '../rig/servers.ts'
import { shop } from './shop.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** The text of the first line that is seen, and how far it is cut by the edge. */
const firstSeen = (log: Locator): Promise<string> =>
  log.evaluate((element) => {
    const edge = element.getBoundingClientRect().top
    const rows = [...element.querySelectorAll('.log-line')]
    const first = rows.find((row) => row.getBoundingClientRect().bottom > edge + 1)
    const cut = edge - (first?.getBoundingClientRect().top ?? 0)
    return `${first?.querySelector('.log-text')?.textContent} ${Math.round(cut)}`
  })

const isAtEnd = (log: Locator): Promise<boolean> =>
  log.evaluate((e) => e.scrollHeight > e.clientHeight && e.scrollHeight - e.scrollTop - e.clientHeight < 24)

const linesShown = async (dashboard: DashboardPage): Promise<number> =>
  Number(/^(\d+)/.exec((await dashboard.page.locator('.log-count').textContent()) ?? '')?.[1])

test('a service’s page has its log, which follows, and its timeline', async () => {
  const { rig, web } = await shop("setInterval(() => console.log('tick ' + Date.now()), 20)")
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const { page } = dashboard
  const log = page.getByRole('log')
  await log.getByText(/^tick/).first().waitFor()
  await rig.eventually(() => isAtEnd(log), { what: 'a log that follows' })
  // Scrolling up pauses; the button follows again.
  await log.hover()
  await page.mouse.wheel(0, -200)
  const follow = page.getByRole('button', { name: /new lines? ↓/ })
  await follow.waitFor()
  const top = await log.evaluate((element) => element.scrollTop)
  await page.getByRole('button', { name: /1\d new lines ↓/ }).waitFor()
  expect(await log.evaluate((element) => element.scrollTop)).toBe(top)
  await follow.click()
  await rig.eventually(() => isAtEnd(log), { what: 'a log that follows again' })
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

test('of 100,000 lines the last 10,000 are there at once, the rest when asked for, all in a handful of elements', async () => {
  const { rig, web } = await shop(
    "console.log(Array.from({ length: 100000 }, (_, i) => 'line ' + i).join('\\n'))",
  )
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const log = dashboard.page.getByRole('log')
  const { page } = dashboard
  await log.getByText('line 99999').waitFor()
  await page.getByText('10000 lines').waitFor()
  await page.getByRole('button', { name: 'Earlier lines' }).click()
  await page.getByText('100000 lines').waitFor()
  await log.getByText('line 99999').waitFor()
  // Each place of the list has its line, and frames are told for how long the page was busy.
  const { seen, frames } = await log.evaluate(async (element) => {
    const frame = () => new Promise<number>(requestAnimationFrame)
    const seen: string[] = []
    const frames: number[] = []
    for (let step = 0; step <= 100; step += 1) {
      element.scrollTop =
        20 * Math.floor(((element.scrollHeight - element.clientHeight) * (100 - step)) / 2000)
      const began = await frame()
      frames.push((await frame()) - began)
      const edge = element.getBoundingClientRect().top
      const rows = [...element.querySelectorAll('.log-line')]
      const first = rows.find((row) => row.getBoundingClientRect().bottom > edge + 1)
      const number = Math.floor(element.scrollTop / 20)
      if (first?.querySelector('.log-text')?.textContent !== `line ${number}`)
        seen.push(`${first?.textContent} at ${element.scrollTop}`)
    }
    return { seen, frames: frames.toSorted((a, b) => a - b) }
  })
  expect(seen).toEqual([])
  const [median, worst] = [frames[frames.length >> 1], frames.at(-1)].map((ms) => Math.round(ms ?? 0))
  console.log(`100,000 lines, ms from a scroll to the next frame: median ${median}, worst ${worst}`)
  expect(await page.locator('.log-line').count()).toBeLessThan(150)
})

test('levels and generations are chosen, alone and together, and what is chosen is downloaded under the service’s name', async () => {
  const { rig, web } = await shop(
    "for (const text of ['GET / 200', 'warning: slow', 'Error: broken', 'no errors here']) console.log(version + ' ' + text)",
  )
  await using _ = rig
  await rig.request(web)
  await rig.edit('web.mjs', bump)
  await rig.eventually(async () => (await rig.service('web')).swaps === 1)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const { page } = dashboard
  const shown = page.getByRole('log').locator('.log-text')
  const shows = async (...lines: string[]): Promise<void> => {
    await page.getByText(`${lines.length} of 8 lines`).waitFor()
    expect(await shown.allTextContents()).toEqual(lines)
  }
  await page.getByText('8 lines', { exact: true }).waitFor()
  await page.getByRole('combobox', { name: 'generation' }).selectOption('generation 1')
  await page.getByRole('combobox', { name: 'level' }).selectOption('warnings and errors')
  await shows('v1 warning: slow', 'v1 Error: broken')
  await page.getByRole('combobox', { name: 'level' }).selectOption('errors')
  await shows('v1 Error: broken')
  await page.getByRole('combobox', { name: 'generation' }).selectOption('all generations')
  await shows('v1 Error: broken', 'v2 Error: broken')
  await page.reload()
  await shows('v1 Error: broken', 'v2 Error: broken')
  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download' }).click()
  const download = await downloading
  expect(download.suggestedFilename()).toBe('shop-web.log')
  expect(readFileSync(await download.path(), 'utf8')).toBe('v1 Error: broken\nv2 Error: broken\n')
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

test('a log goes on over a killed daemon: no line is missing, none is there twice', async () => {
  const { rig, web } = await shop("let n = 0; setInterval(() => console.log('line ' + n++), 20)")
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const log = dashboard.page.getByRole('log')
  await log
    .getByText(/^line \d+$/)
    .first()
    .waitFor()
  process.kill(await rig.daemonPid(), 'SIGKILL')
  // Written after the kill, and shown: the stream was begun again.
  await dashboard.page.getByText('devsock is away').waitFor({ state: 'detached' })
  const count = await linesShown(dashboard)
  await rig.eventually(async () => (await linesShown(dashboard)) > count + 100, { deadline: 30_000 })
  await log.evaluate((element) => element.scrollTo(0, 0))
  await log.getByText('line 0', { exact: true }).waitFor()
  const first = await dashboard.page.locator('.log-text').allTextContents()
  expect(first.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, index) => `line ${index}`))
  await dashboard.page.getByRole('searchbox').fill('/^line (19|20|21|50|99)$/')
  await dashboard.page.getByText(/^5 of/).waitFor()
})

test('a log that is paused keeps its place while 50 lines come each second, wrapped or not', async () => {
  const line = "'line ' + n++ + ' ' + 'word '.repeat(n % 60)"
  const { rig, web } = await shop(`let n = 0; setInterval(() => console.log(${line}), 20)`)
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const { page } = dashboard
  const log = page.getByRole('log')
  for (const _way of ['as it is', 'wrapped']) {
    await rig.eventually(() => isAtEnd(log), { what: 'a log that follows' })
    await rig.eventually(async () => (await linesShown(dashboard)) > 60)
    // Once, and it is paused: no line that comes meanwhile takes it back.
    await log.hover()
    await page.mouse.wheel(0, -120)
    await page.getByRole('button', { name: /new lines? ↓/ }).waitFor()
    const [before, count] = [await firstSeen(log), await linesShown(dashboard)]
    await rig.eventually(async () => (await linesShown(dashboard)) > count + 100, { deadline: 30_000 })
    expect(await firstSeen(log)).toBe(before)
    // The other way of wrapping keeps the line, too.
    await page.getByRole('button', { name: 'Wrap' }).click()
    expect((await firstSeen(log)).split(' ').slice(0, 2)).toEqual(before.split(' ').slice(0, 2))
    await page.getByRole('button', { name: /new lines ↓/ }).click()
  }
  // By the keyboard the same.
  await log.focus()
  await rig.eventually(() => isAtEnd(log), { what: 'a log that follows' })
  await page.keyboard.press('PageUp')
  await page.getByRole('button', { name: /new lines? ↓|follow/ }).waitFor()
  // Chromium scrolls softly by the keyboard: that is over when ten frames look alike.
  await log.evaluate(async (element) => {
    for (let same = 0, before = -1; same < 10; same = element.scrollTop === before ? same + 1 : 0) {
      before = element.scrollTop
      await new Promise(requestAnimationFrame)
    }
  })
  await page.keyboard.press('End')
  await rig.eventually(() => isAtEnd(log), { what: 'a log that follows by End' })
  expect(dashboard.errors).toEqual([])
})

test('a search keeps all lines and goes from match to match; it survives a reload', async () => {
  const { rig, web } = await shop("for (let n = 0; n < 900; n++) console.log('line ' + n)")
  await using _ = rig
  await rig.request(web)
  await using dashboard = await DashboardPage.open(browser, rig, '#/services/shop/web')
  const { page } = dashboard
  const found = page.locator('.log-line.found .log-text')
  await page.getByText('900 lines', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Only matches' }).click()
  await page.getByRole('searchbox').fill('/^line \\d00$/')
  await page.keyboard.press('Enter')
  await found.getByText('line 800').waitFor()
  await page.keyboard.press('Enter')
  await found.getByText('line 700').waitFor()
  await page.getByText('900 lines', { exact: true }).waitFor()
  await page.waitForURL(/q=.*context=1|context=1.*q=/)
  await page.reload()
  await page.getByText('900 lines', { exact: true }).waitFor()
  await page.getByRole('log').focus()
  await page.keyboard.press('N')
  await found.getByText('line 800').waitFor()
  await page.keyboard.press('n')
  // Beyond the last one it goes on from the first.
  await found.getByText('line 100').waitFor()
  await page.getByRole('button', { name: 'Only matches' }).click()
  await page.getByText('8 of 900 lines').waitFor()
})
