import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Rig } from './rig.ts'

const CHROMIUM = '/usr/bin/chromium'
/** Milliseconds within which the page has to show what is waited for. */
const DEADLINE = 10_000

/** Debian's Chromium, without a window; with more of its switches. */
export function launchBrowser(...more: string[]): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is not there: apt-get install chromium`)
  // Root may not use its sandbox, and a container gives it little shared memory.
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...more],
  })
}

/** A page of the rig's dashboard in a browser profile of its own, and everything that went wrong in it. */
export class DashboardPage implements AsyncDisposable {
  readonly page: Page
  /** Uncaught errors, and refusals of the content security policy. */
  readonly errors: string[] = []
  /** Hosts that it asked for anything. */
  readonly hosts = new Set<string>()
  readonly origin: string

  private constructor(page: Page, origin: string, deadline: number) {
    this.page = page
    this.origin = origin
    page.setDefaultTimeout(deadline)
    page.on('pageerror', (error) => this.errors.push(String(error)))
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) this.errors.push(message.text())
    })
    page.on('request', (request) => this.hosts.add(new URL(request.url()).host))
  }

  /** Opens the link that `devsock open` prints, at `hash` (`#/ports`). */
  static async open(
    browser: Browser,
    rig: Rig,
    hash = '#/',
    options: BrowserContextOptions = {},
    deadline = DEADLINE,
  ): Promise<DashboardPage> {
    const { daemon } = await rig.status()
    if (!daemon?.dashboard) throw new Error(`there is no dashboard\n${await rig.dump()}`)
    const context = await browser.newContext(options)
    const opened = new DashboardPage(await context.newPage(), daemon.dashboard, deadline)
    const token = readFileSync(join(rig.stateDir, 'dashboard-token'), 'utf8').trim()
    await opened.page.goto(`${daemon.dashboard}#${token}`)
    await opened.page.getByText('live', { exact: true }).waitFor({ state: 'attached' })
    if (hash !== '#/') await opened.go(hash)
    return opened
  }

  async go(hash: string): Promise<void> {
    await this.page.evaluate((to) => location.assign(to), hash)
  }

  /** A service on the overview. */
  card(name: string) {
    return this.page.getByRole('article', { name: new RegExp(`^${name},`) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close()
  }
}
