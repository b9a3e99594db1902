import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { type Folder, factsOf, type Proposal, proposeServices } from './detect.ts'
import { readFolder, readSources } from './folder.ts'
import { nameFrom } from './names.ts'
import { recognise } from './recognise.ts'

/** The configuration that a folder could begin with; nothing is written. */
export interface Starter {
  dir: string
  /** Empty: no server is known here, and there is no file. */
  services: Proposal[]
  file: { name: string; content: string } | null
}

/** What `devsock init` would write into a folder. */
export async function proposeStarter(dir: string): Promise<Starter> {
  const folder = await readSources(dir, await readFolder(dir))
  const services = proposeServices(folder)
  if (services.length === 0) return { dir, services, file: null }
  const written = Object.fromEntries(services.map((service) => [service.name, writtenAs(service, folder)]))
  if (!folder.files.has('package.json')) {
    const document = { name: nameFrom(basename(dir)), services: written }
    const content = `${JSON.stringify(document, null, 2)}\n`
    return { dir, services, file: { name: 'devsock.config.json', content } }
  }
  return { dir, services, file: { name: 'devsock.config.ts', content: program(written, isInstalled(dir)) } }
}

type Written = string | { command: string; listen: unknown; watch?: string[]; swap?: string }

/** The short form where it says it all. */
function writtenAs({ command, port, watch, binds }: Proposal, folder: Folder): Written {
  const recognised = recognise(command, factsOf(folder))
  if (watch === null && recognised?.port === port) return command
  const listen = binds === undefined ? port : { address: port, binds }
  const swap = recognised?.framework.swap
  return { command, listen, ...(watch && { watch }), ...(swap && { swap }) }
}

function program(services: Record<string, Written>, installed: boolean): string {
  const lines = Object.entries(services).map(([name, service]) => `    ${key(name)}: ${literal(service)},`)
  const body = ['{', '  services: {', ...lines, '  },', '}'].join('\n')
  // Without the package there is nothing to import the types from, and an object needs none.
  return installed
    ? `import { defineConfig } from 'devsock'\n\nexport default defineConfig(${body})\n`
    : `export default ${body}\n`
}

function literal(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(([name, inner]) => `${key(name)}: ${literal(inner)}`)
  return `{ ${entries.join(', ')} }`
}

const quoted = (text: string): string => (/['\\\n]/.test(text) ? JSON.stringify(text) : `'${text}'`)

const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name))

function isInstalled(dir: string): boolean {
  try {
    createRequire(join(dir, 'package.json')).resolve('devsock/package.json')
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('MODULE_NOT_FOUND')) return false
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_')) return false
    throw error
  }
}
