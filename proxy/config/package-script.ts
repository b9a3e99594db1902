/**
 * `npm run dev` without npm in between: the script itself, with the variables and the PATH that npm would have
 * given it (npm-run-script(1)). npm takes about 300 ms of every start for that, and then waits beside the server.
 * What npm would do in another way than plainly is left to it; so is a command that is an array.
 */
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { exists } from './find.ts'
import { parseJson } from './json.ts'
import { readText } from './read-text.ts'
import { isSimpleCommand } from './shell-command.ts'

export interface PackageScript {
  /** What sh is to run. */
  line: string
  /** Folders in front of the PATH: where packages have their programs. */
  path: string[]
  env: Record<string, string>
  /** Files that say so. */
  files: string[]
}

type Environment = Readonly<Record<string, string>>

/** Words before `--` that look like options are npm's own. */
const NPM =
  /^npm\s+(?:run\s+|run-script\s+|(?=start(?:\s|$)))([\w:.-]+)((?:\s+[^-\s]\S*)*)(?:\s+--(?:\s+(.*))?)?$/
const NPX = /^npx\s+(?:(?:--no-install|--no|--yes|-y)\s+)*(\w[\w.-]*(?:\s.*)?)$/
/** Scripts that run scripts may run in circles. */
const MOST_STEPS = 5
/** Settings of npmrc(5) that change how a script is run. */
const PECULIAR = /^\s*(?:script-shell|node-options)\s*=/im

/** null: the line is to be run as it is. A package.json that is no JSON is reported: npm would not take it either. */
export async function packageScript(
  line: string,
  cwd: string,
  shell: Environment,
  complain: (message: string, hint: string | null) => void,
): Promise<PackageScript | null> {
  const path = binaryFolders(cwd)
  const command = line.trim()
  if (!isSimpleCommand(command)) return null
  const program = NPX.exec(command)?.[1]
  if (program !== undefined) {
    const [name = ''] = program.split(/\s/, 1)
    return (await isInstalled(name, path)) ? { line: program, path, env: {}, files: [] } : null
  }
  if (scriptCall(command) === null || (await isPeculiar(cwd, shell))) return null
  const file = join(cwd, 'package.json')
  const manifest = await readManifest(file, complain)
  const script = manifest === null ? null : follow(command, manifest.scripts)
  if (manifest === null || script === null) return null
  const env = { ...manifest.env, ...lifecycle(script), npm_package_json: file, INIT_CWD: cwd }
  return { line: script.line, path, env, files: [file] }
}

interface ScriptCall {
  name: string
  /** As they stand in the command line. */
  args: string
}

function scriptCall(command: string): ScriptCall | null {
  const [, name, words = '', rest = ''] = NPM.exec(command) ?? []
  return name === undefined ? null : { name, args: `${words} ${rest}`.trim() }
}

interface Script {
  name: string
  /** As package.json has it. */
  text: string
  line: string
}

/** The script that is run in the end; null where npm would do more than run it, or say that it is missing. */
function follow(command: string, scripts: Environment): Script | null {
  let found: Script | null = null
  let line = command
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const call = isSimpleCommand(line) ? scriptCall(line) : null
    if (call === null) return found
    const text = Object.hasOwn(scripts, call.name) ? scripts[call.name] : undefined
    if (text === undefined || `pre${call.name}` in scripts || `post${call.name}` in scripts) return found
    // Where the script is a list of commands, npm gives its arguments to the last one: so does this.
    line = call.args === '' ? text : `${text} ${call.args}`
    found = { name: call.name, text, line }
  }
  return null
}

const lifecycle = ({ name, text }: Script): Record<string, string> => ({
  npm_command: 'run',
  npm_lifecycle_event: name,
  npm_lifecycle_script: text,
})

interface Manifest {
  scripts: Record<string, string>
  /** npm_package_… */
  env: Record<string, string>
}

/** null: there is none, or none with scripts. */
async function readManifest(
  file: string,
  complain: Parameters<typeof packageScript>[3],
): Promise<Manifest | null> {
  const read = await readText(file)
  if (!read.ok) return null
  const json = parseJson(read.text)
  if (!json.ok) complain(`${file}: ${json.message}`, json.hint)
  const content = json.ok ? json.value : null
  if (!isRecord(content) || !isRecord(content.scripts)) return null
  const env: Record<string, string> = {}
  for (const key of ['name', 'version']) {
    const value = content[key]
    if (typeof value === 'string') env[`npm_package_${key}`] = value
  }
  for (const key of ['config', 'engines', 'bin']) {
    for (const [name, value] of Object.entries(isRecord(content[key]) ? content[key] : {}))
      env[`npm_package_${key}_${name}`] = String(value)
  }
  const scripts = Object.entries(content.scripts).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  return { scripts: Object.fromEntries(scripts), env }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

async function isPeculiar(cwd: string, shell: Environment): Promise<boolean> {
  const set = Object.keys(shell).some((name) => /^npm_config_(?:script_shell|node_options)$/i.test(name))
  if (set) return true
  for (const folder of [...upward(cwd), shell.HOME ?? homedir()]) {
    const npmrc = await readText(join(folder, '.npmrc'))
    if (npmrc.ok && PECULIAR.test(npmrc.text)) return true
  }
  return false
}

/** The folder and all above it, the nearest first. */
const upward = (dir: string): string[] => (dirname(dir) === dir ? [dir] : [dir, ...upward(dirname(dir))])

/** Where packages have their programs. A colon in a path cannot be said in a PATH. */
const binaryFolders = (dir: string): string[] =>
  upward(dir)
    .map((folder) => join(folder, 'node_modules', '.bin'))
    .filter((folder) => !folder.includes(delimiter))

async function isInstalled(name: string, folders: readonly string[]): Promise<boolean> {
  const found = await Promise.all(folders.map((folder) => exists(join(folder, name))))
  return found.includes(true)
}
