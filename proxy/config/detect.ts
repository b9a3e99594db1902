import { parseJson } from './json.ts'
import { nameFrom } from './names.ts'
import { type Facts, recognise } from './recognise.ts'

/** A folder as far as it was looked at. Paths are relative to it, with slashes. */
export interface Folder {
  files: ReadonlySet<string>
  /** Content of the files that were read; see {@link MANIFESTS}. */
  contents: ReadonlyMap<string, string>
}

/** The files whose content tells what a project is. */
export const MANIFESTS = [
  'package.json',
  'deno.json',
  'pyproject.toml',
  'requirements.txt',
  'Pipfile',
  'Gemfile',
  'composer.json',
  'go.mod',
  'Cargo.toml',
  'pom.xml',
  'build.gradle',
  'build.gradle.kts',
] as const

/** A service that a configuration for this folder could have. */
export interface Proposal {
  name: string
  command: string
  framework: string
  port: number
  /** For servers without a reloader; null: it has one. */
  watch: string[] | null
  /** The port that the program believes it binds, where another service has it already. */
  binds?: number
}

/** What the manifests of a folder say: scripts, and dependencies of every language in one set. */
export function factsOf(folder: Folder): Facts {
  const read = (name: string): string => folder.contents.get(name) ?? ''
  const npm = object(read('package.json'))
  const deno = object(read('deno.json'))
  const composer = object(read('composer.json'))
  const scripts = { ...texts(composer.scripts), ...texts(deno.tasks), ...texts(npm.scripts) }
  const dependencies = new Set<string>()
  for (const list of [npm.dependencies, npm.devDependencies, npm.optionalDependencies, composer.require]) {
    for (const name of Object.keys(texts(list))) dependencies.add(name)
  }
  // The manifests that are no JSON are read as words: a name that stands in them is taken for a dependency.
  for (const name of ['pyproject.toml', 'requirements.txt', 'Pipfile', 'Gemfile', 'Cargo.toml', 'pom.xml']) {
    for (const [word] of read(name).matchAll(/[A-Za-z][\w.-]*/g)) dependencies.add(word.toLowerCase())
  }
  return { scripts, dependencies }
}

/** Services for `devsock init`: one for each server that the folder's manifests start; empty where none is known. */
export function proposeServices(folder: Folder): Proposal[] {
  const facts = factsOf(folder)
  const scripts = scriptServices(folder, facts)
  const proposals = scripts.length > 0 ? scripts : languageServices(folder, facts)
  return spread(proposals)
}

/** `dev:api`, `dev:web` … if there are any; else the first of `dev`, `develop`, `serve`, `start`. */
function scriptServices(folder: Folder, facts: Facts): Proposal[] {
  const runner = scriptRunner(folder.files)
  const run = (script: string): string => `${runner} ${script}`
  const parts = Object.keys(facts.scripts).flatMap((script) => {
    const [, name] = /^(?:dev|start|serve)[:-](.+)$/.exec(script) ?? []
    const found = name === undefined ? null : proposal(nameFrom(name), run(script), folder, facts)
    return found ? [found] : []
  })
  const unique = parts.filter(({ name }, index) => parts.findIndex((part) => part.name === name) === index)
  if (unique.length > 0) return unique
  for (const script of ['dev', 'develop', 'serve', 'start']) {
    const found = script in facts.scripts ? proposal('web', run(script), folder, facts) : null
    if (found) return [found]
  }
  return []
}

function scriptRunner(files: ReadonlySet<string>): string {
  if (!files.has('package.json')) return files.has('deno.json') ? 'deno task' : 'composer run'
  if (files.has('pnpm-lock.yaml')) return 'pnpm run'
  if (files.has('yarn.lock')) return 'yarn run'
  return files.has('bun.lock') || files.has('bun.lockb') ? 'bun run' : 'npm run'
}

/** What people type for a project of each kind; the first that fits. */
function languageServices(folder: Folder, facts: Facts): Proposal[] {
  const { files } = folder
  const python = facts.dependencies
  const candidates: [applies: boolean, command: string][] = [
    [files.has('manage.py'), 'python manage.py runserver'],
    [python.has('fastapi') && files.has('main.py'), 'uvicorn main:app --reload'],
    [python.has('flask') && (files.has('app.py') || files.has('wsgi.py')), 'flask run --debug'],
    [files.has('bin/rails'), 'bin/rails server'],
    [files.has('config.ru'), 'bundle exec puma'],
    [files.has('artisan'), 'php artisan serve'],
    [files.has('public/index.php'), 'php -S localhost:8000 -t public'],
    [files.has('index.php'), 'php -S localhost:8000'],
    [files.has('go.mod'), 'go run .'],
    [files.has('Cargo.toml'), 'cargo run'],
    [files.has('mvnw') && facts.dependencies.has('spring-boot-maven-plugin'), './mvnw spring-boot:run'],
    [files.has('gradlew'), './gradlew bootRun'],
    [[...files].some((file) => /^[^/]+\.csproj$/.test(file)), 'dotnet watch'],
  ]
  const command = candidates.find(([applies]) => applies)?.[1]
  const found = command === undefined ? null : proposal('web', command, folder, facts)
  return found ? [found] : []
}

function proposal(name: string, command: string, folder: Folder, facts: Facts): Proposal | null {
  const recognised = recognise(command, facts)
  if (!recognised) return null
  const source = folder.contents.get(entryOf(recognised.command) ?? '') ?? ''
  const port = portInSource(source) ?? recognised.port
  if (port === null) return null
  const watch = recognised.reloads ? null : watchFor(folder, recognised.framework.name)
  return { name, command, framework: recognised.framework.name, port, watch }
}

/** The source file that a command starts, as a path in its folder; null where it names none. */
export function entryOf(command: string): string | null {
  const [, entry] = /(?:^|\s)([\w./-]+\.(?:[cm]?[jt]s|py|rb|go))(?=\s|$)/.exec(command) ?? []
  return entry?.replace(/^\.\//, '') ?? null
}

function watchFor(folder: Folder, framework: string): string[] {
  if (framework === 'Go') return ['**/*.go']
  if (['Rust', 'axum', 'Rocket'].includes(framework)) return ['src/**', 'Cargo.toml']
  if ([...folder.files].some((file) => file.startsWith('src/'))) return ['src/**']
  if (framework === 'Flask' || framework === 'gunicorn' || framework === 'uvicorn') return ['**/*.py']
  return framework === 'puma' ? ['**/*.rb', 'config.ru'] : ['**/*.{js,mjs,cjs,ts,mts,cts,json}']
}

/** `process.env.PORT || 3001`, `PORT ?? 3001`, `.listen(3001`, `port: 3001`: what a server's source says. */
function portInSource(source: string): number | null {
  const found =
    /\bPORT\b['"]?\]?\)?\s*(?:\|\||\?\?|,)\s*['"]?(\d{2,5})\b|\.listen\(\s*(\d{2,5})\b|\bport\s*[:=]\s*(\d{2,5})\b/.exec(
      source,
    )
  const port = Number(found?.[1] ?? found?.[2] ?? found?.[3] ?? 0)
  return port >= 1 && port <= 65535 ? port : null
}

/** Two services cannot have one usual port: the later ones get the next free. */
function spread(proposals: Proposal[]): Proposal[] {
  const taken = new Set<number>()
  return proposals.map((one) => {
    let { port } = one
    while (taken.has(port)) port += 1
    taken.add(port)
    return port === one.port ? one : { ...one, port, binds: one.port }
  })
}

/** The object of a JSON text; empty for anything else, broken files too: what cannot be read says nothing. */
function object(text: string): Record<string, unknown> {
  const parsed = parseJson(text)
  const isObject = parsed.ok && typeof parsed.value === 'object' && parsed.value !== null
  return isObject ? (parsed.value as Record<string, unknown>) : {}
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
