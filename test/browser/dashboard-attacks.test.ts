/** What pages of others can do to the dashboard in a browser, and what programs can write into it: nothing. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { Rig } from '../rig/rig.ts'
import { shop } from './shop.ts'

interface Target {
  origin: string
  /** Stolen, so that only what browser and port refuse by themselves is left. */
  token: string
}

async function targetOf(rig: Rig): Promise<Target> {
  const { daemon } = await rig.status()
  const token = readFileSync(join(rig.stateDir, 'dashboard-token'), 'utf8').trim()
  return { origin: new URL(daemon?.dashboard ?? 'http://none/').origin, token }
}

/** What a script of that page gets: for each attempt what it could read, or `refused`. */
const attack = (page: Page, target: Target): Promise<Record<string, string>> =>
  page.evaluate(async ({ origin, token }) => {
    const restart = `${origin}/v1/services/shop/api/restart`
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const read = async (path: string, init: RequestInit = {}): Promise<string> => {
      const answer = await fetch(origin + path, init)
      return `${answer.status} ${await answer.text()}`
    }
    const attempts: Record<string, () => Promise<string>> = {
      status: () => read('/v1/status', { headers }),
      page: () => read('/'),
      'page without CORS': () => read('/', { mode: 'no-cors' }),
      restart: () => read('/v1/services/shop/api/restart', { method: 'POST', headers, body: '{}' }),
      'restart as a form would': () =>
        read('/v1/services/shop/api/restart', { method: 'POST', mode: 'no-cors', body: '{}' }),
      down: () => read('/v1/projects/shop', { method: 'DELETE', headers, body: '{}' }),
      events: () =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/events`)
          socket.onopen = () => resolve('open')
          socket.onerror = reject
        }),
      picture: () =>
        new Promise((resolve, reject) => {
          const picture = new Image()
          picture.onload = () => resolve('shown')
          picture.onerror = reject
          picture.src = `${origin}/favicon.svg`
        }),
      window: async () => {
        const opened = window.open(`${origin}/#${token}`)
        // A page that has cut itself off from who opened it looks closed from here.
        while (opened && !opened.closed) {
          const { location, readyState, body } = opened.document
          if (location.href !== 'about:blank' && readyState === 'complete') return body.innerText
          await new Promise(requestAnimationFrame)
        }
        throw new Error('cut off')
      },
    }
    const got: Record<string, string> = {}
    for (const [name, attempt] of Object.entries(attempts)) got[name] = await attempt().catch(() => 'refused')
    // These tell their sender nothing: what they did would show.
    navigator.sendBeacon(restart, '{}')
    const frame = document.createElement('iframe')
    frame.name = 'frame'
    const form = document.createElement('form')
    Object.assign(form, { method: 'POST', action: restart, target: 'frame', enctype: 'text/plain' })
    document.body.append(frame, form)
    const over = new Promise((resolve) => {
      frame.addEventListener('load', resolve)
      // A refusal is a page, too, and its policy lets it send no form.
      document.addEventListener('securitypolicyviolation', resolve)
    })
    form.submit()
    await over
    return got
  }, target)

/** That nothing was done to the services. */
async function expectUntouched(rig: Rig): Promise<void> {
  expect(await rig.service('api')).toMatchObject({ state: 'held', generation: 0 })
}

test('a page of another port of localhost reads nothing, does nothing, and shows nothing of it, token or not', async () => {
  const { rig, web } = await shop()
  await using _ = rig
  await using browser = await launchBrowser()
  const page = await browser.newPage()
  await page.goto(`http://localhost:${web}/`)
  const target = await targetOf(rig)
  const got = await attack(page, target)
  expect(got).toEqual(Object.fromEntries(Object.keys(got).map((name) => [name, 'refused'])))
  await page.evaluate(({ origin, token }) => {
    const frame = document.createElement('iframe')
    frame.src = `${origin}/#${token}`
    document.body.append(frame)
    return new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }))
  }, target)
  const framed = await Promise.all(
    page
      .frames()
      .slice(1)
      .map((frame) => frame.content()),
  )
  for (const content of framed) expect(content).not.toMatch(/id="root"|shop/)
  await expectUntouched(rig)
})

test('a name that DNS leads here, as its own page sees it, gets refusals alone', async () => {
  const { rig } = await shop()
  await using _ = rig
  await using browser = await launchBrowser('--host-resolver-rules=MAP evil.example 127.0.0.1')
  const { origin, token } = await targetOf(rig)
  const rebound = origin.replace('localhost', 'evil.example')
  const page = await browser.newPage()
  expect((await page.goto(rebound))?.status()).toBe(403)
  for (const [name, got] of Object.entries(await attack(page, { origin: rebound, token }))) {
    expect(got, name).toMatch(/^(refused|403 .*|.*"forbidden".*)\s*$/)
    expect(got, name).not.toMatch(/"projects"|"generation"/)
  }
  await expectUntouched(rig)
})

const MARKUP = '<img src=x onerror="window.pwned=1">\u001b]8;;javascript:window.pwned=1\u001b\\<b>x</b>'

test('what programs are called, say last, and have in their configuration is text in every view', async () => {
  await using rig = await Rig.create({
    files: { 'api.mjs': `console.error(${JSON.stringify(MARKUP)}); process.exit(1)` },
  })
  const squatted = await rig.port()
  await rig.write({
    'squatter.mjs': `import { createServer } from 'node:http'\ncreateServer().listen(${squatted}, () => console.log('here'))`,
  })
  const squatter = rig.spawn(['node', 'squatter.mjs', MARKUP])
  await rig.eventually(() => squatter.stdout.includes('here'))
  const services = {
    api: { command: ['node', 'api.mjs'], listen: await rig.port(), start: 'eager', retry: { limit: 0 } },
  }
  await rig.configure(services)
  await rig.up()
  await rig.until('api', 'failed')
  await rig.configure({ ...services, [MARKUP]: 'true', other: { command: MARKUP, [MARKUP]: 1 } })
  await using browser = await launchBrowser()
  await using dashboard = await DashboardPage.open(browser, rig, '#/problems')
  const { page } = dashboard
  const main = page.getByRole('main')
  const expectInert = async (): Promise<void> => {
    const places = main.getByText('<img src=x')
    await places.first().waitFor()
    expect(await main.locator('img, b:text-is("x"), a[href^="javascript"]').count()).toBe(0)
  }
  await expectInert()
  await dashboard.go('#/ports')
  await page.getByRole('searchbox').fill(String(squatted))
  await expectInert()
  await page.getByRole('button', { name: `Free ${squatted}` }).click()
  await page.getByRole('dialog').getByText('<img src=x').waitFor()
  await page.keyboard.press('Escape')
  await dashboard.go('#/services/shop/api')
  await page.getByRole('region', { name: 'timeline' }).getByText('<img src=x').waitFor()
  await expectInert()
  expect(await page.evaluate(() => 'pwned' in window)).toBe(false)
  expect(dashboard.errors).toEqual([])
})
