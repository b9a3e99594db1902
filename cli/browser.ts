import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fail, ok, type Result } from '../proxy/protocol.ts'

/** Opens a URL the way this desktop does: $BROWSER, else its opener. The browser outlives us. */
export async function openInBrowser(url: string, env: NodeJS.ProcessEnv): Promise<Result<null>> {
  const opener =
    env.BROWSER || (process.platform === 'darwin' ? 'open' : env.WSL_DISTRO_NAME ? 'wslview' : 'xdg-open')
  const child = spawn(opener, [url], { detached: true, stdio: 'ignore', env })
  try {
    await once(child, 'spawn')
    child.unref()
    return ok(null)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return fail('internal', `Cannot start ${opener}: ${code}.`, `Open it yourself: ${url}`)
  }
}
