import { FRAMEWORKS, type Framework } from './frameworks.ts'

/** What a command and its folder say about the server that it starts. */
export interface Facts {
  /** package.json scripts, deno tasks, composer scripts. */
  scripts: Readonly<Record<string, string>>
  /** Names of packages, whatever the language. */
  dependencies: ReadonlySet<string>
}

export interface Recognised {
  framework: Framework
  port: number | null
  /** It has a reloader of its own. */
  reloads: boolean
  /** The command that is run in the end. */
  command: string
}

/** The server that a command starts; null where none is known. */
export function recognise(command: string, facts: Facts): Recognised | null {
  const final = followScripts(command, facts.scripts)
  const framework = FRAMEWORKS.find(
    (candidate) =>
      candidate.command.test(final) &&
      (candidate.dependencies?.some((name) => facts.dependencies.has(name)) ?? true),
  )
  if (!framework) return null
  const { reloads } = framework
  return {
    framework,
    port: portIn(final, framework) ?? framework.port,
    reloads: typeof reloads === 'boolean' ? reloads : reloads.test(final),
    command: final,
  }
}

const RUN_SCRIPT =
  /(?:^|&&|;)\s*(?:[A-Z_]+=\S+\s+)*(?:(?:npm|pnpm|yarn|bun)\s+(?:--\S+\s+)*(?:run(?:-script)?\s+)?|node\s+--run\s+|deno\s+task\s+|composer\s+(?:run\s+)?)([\w:.-]+)(?:\s+--(?=\s|$))?(.*)$/

/** What `npm run dev` runs: scripts that run scripts are followed a few steps, for they may run in circles. */
export function followScripts(command: string, scripts: Readonly<Record<string, string>>): string {
  let current = command
  for (let step = 0; step < 5; step++) {
    const [, name, rest = ''] = RUN_SCRIPT.exec(current) ?? []
    const script = name !== undefined && Object.hasOwn(scripts, name) ? scripts[name] : undefined
    if (script === undefined) return current
    current = `${script} ${rest.trim()}`.trim()
  }
  return current
}

/** The port that a command names: the framework's own way first, then the common ones. */
function portIn(command: string, framework: Framework): number | null {
  const patterns = [
    framework.portIn,
    /(?:^|\s)--port[ =](\d+)\b/,
    /(?:^|\s)-p[ =]?(\d{2,5})\b/,
    /(?:^|\s)PORT=(\d+)\b/,
  ]
  for (const pattern of patterns) {
    const port = Number(pattern?.exec(command)?.[1] ?? 0)
    if (port >= 1 && port <= 65535) return port
  }
  return null
}
