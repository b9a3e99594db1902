/** Pictures of the dashboard, of a real project with traffic, a failure and somebody in the way: dashboard/screenshots. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { DashboardPage, launchBrowser } from '../rig/browser.ts'
import { CHECKOUT, Rig } from '../rig/rig.ts'
import { MAIL, OLD_ADMIN, PAYMENTS, server } from './shop.ts'

const FOLDER = join(CHECKOUT, 'dashboard/screenshots')

const WIDE = { viewport: { width: 1240, height: 760 }, deviceScaleFactor: 1 }
const PHONE = { viewport: { width: 390, height: 760 }, deviceScaleFactor: 1.5 }

/** Requests a second, and how many: long enough for a curve. */
const RATE = 6
const REQUESTS = 150
/** Nobody waits for a picture. */
const DEADLINE = 120_000

const VIEWS = [
  ['#/', 'overview'],
  ['#/graph', 'graph'],
  ['#/services/shop/payments', 'service'],
] as const

const LOOKS: { look: BrowserContextOptions; views: [hash: string, name: string][] }[] = [
  ...(['light', 'dark'] as const).map((colorScheme) => ({
    look: { ...WIDE, colorScheme },
    views: VIEWS.map(([hash, name]): [string, string] => [hash, `${name}-${colorScheme}`]),
  })),
  {
    look: { ...PHONE, colorScheme: 'light' },
    views: [
      ['#/', 'phone-overview'],
      ['#/graph', 'phone-graph'],
    ],
  },
]

/** Each view by day, by night, and two on a phone. */
export async function takeDashboard(): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  await using rig = await Rig.create({ project: 'shop' })
  const [web, api, catalogue, basket, payments, admin, docs] = await Promise.all(
    Array.from({ length: 7 }, () => rig.port()),
  )
  await rig.write({
    'web.js': server('web', [api]),
    'api.js': server('api', [catalogue, basket]),
    'catalogue.js': server('catalogue', []),
    'basket.js': server('basket', []),
    'payments.js': PAYMENTS,
    'mail.js': MAIL,
    'old-admin.js': OLD_ADMIN(admin),
  })
  const service = (name: string, listen: number | undefined) => ({
    command: `node ${name}.js`,
    listen,
    watch: [`${name}.js`],
  })
  await rig.configure({
    web: service('web', web),
    api: service('api', api),
    catalogue: service('catalogue', catalogue),
    basket: { ...service('basket', basket), idle: '15m' },
    payments: { ...service('payments', payments), start: 'eager', retry: { limit: 0 } },
    mail: { command: 'node mail.js', listen: false },
    docs: service('docs', docs),
    admin: service('admin', admin),
  })
  await rig.up()
  await rig.succeed('stop', 'admin')
  const old = rig.spawn(['node', 'old-admin.js'])
  await rig.eventually(() => old.stdout.includes('here'))
  await rig.devsock('start', 'admin')
  await rig.until('admin', 'conflict')
  await rig.until('payments', 'failed')
  const browser = await launchBrowser()
  try {
    await takeAll(browser, rig, web ?? 0)
  } finally {
    await browser.close()
  }
}

async function takeAll(browser: Browser, rig: Rig, web: number): Promise<void> {
  const shopper = await browser.newPage()
  shopper.setDefaultTimeout(DEADLINE)
  await shopper.goto(`http://localhost:${web}/pears`)
  await rig.until('basket', 'ready')
  const pages: DashboardPage[] = []
  for (const { look } of LOOKS) pages.push(await DashboardPage.open(browser, rig, '#/', look, DEADLINE))
  await using load = rig.load({ port: web, path: '/pears', rate: RATE })
  await rig.eventually(() => load.result.ok > REQUESTS / 2, { deadline: DEADLINE })
  await rig.edit('api.js', (text) => `${text}\n// a page more`)
  await rig.eventually(() => load.result.ok > REQUESTS, { deadline: DEADLINE })
  for (const [index, { views }] of LOOKS.entries()) {
    const page = pages[index]?.page
    await page?.bringToFront()
    for (const [hash, name] of views) {
      await pages[index]?.go(hash)
      if (hash.includes('services')) await page?.getByText('is PostgreSQL running?').last().waitFor()
      await page?.screenshot({ path: join(FOLDER, `${name}.png`) })
    }
  }
  await load.stop()
}
