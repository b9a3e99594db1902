/** What is known of a framework, and how it is told from a command. */
export interface Framework {
  name: string
  /** Found in the command that is run in the end (package.json scripts followed). */
  command: RegExp
  /** One of these must be a dependency of the project as well. */
  dependencies?: readonly string[]
  /** The port it listens on if nobody says otherwise; null: it must be said. */
  port: number | null
  /** Whether it takes in changes itself: always, never, or if its command says so. */
  reloads: boolean | RegExp
  /** Where the command names another port, in a way of its own; the first group is the port. */
  portIn?: RegExp
  /** There cannot be two of it in one folder: what a service's `swap` is if nobody says otherwise. */
  swap?: 'exclusive'
  /** What surprises people who put it behind a held socket. */
  quirks: string | null
}

/** A program's name as a word of its own in a shell command: `vite`, `./node_modules/.bin/vite`, not `vitest`. */
function program(...names: string[]): RegExp {
  return new RegExp(`(?:^|[\\s;&|(/"'])(?:${names.join('|')})(?=$|[\\s;&|)"'])`)
}

const NODE = program(
  'node',
  'nodemon',
  'tsx',
  'ts-node',
  'ts-node-dev',
  'tsnd',
  'node-dev',
  'bun',
  'deno',
  'swc-node',
)
const NODE_RELOADS = /(?:^|\s|\/)(?:nodemon|node-dev|ts-node-dev|tsnd)\b|--watch\b|--hot\b|\btsx\s+watch\b/
const PYTHON = program('python', 'python3', 'python\\d\\.\\d+', 'uv\\s+run', 'poetry\\s+run')

const VITE = {
  port: 5173,
  reloads: true,
  quirks: 'refuses Host names that server.allowedHosts lacks',
} as const

/** The first that fits counts: what is built on another stands before it. */
export const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'Storybook',
    command: program('storybook\\s+dev', 'start-storybook', 'storybook'),
    port: 6006,
    reloads: true,
    quirks: 'asks for another port when its own is taken; --ci keeps it from asking',
  },
  {
    name: 'Next',
    command: program('next\\s+dev', 'next\\s+start', 'next(?=\\s*$|\\s+-)'),
    port: 3000,
    reloads: true,
    swap: 'exclusive',
    quirks: 'one `next dev` a folder: it holds .next/dev/lock',
  },
  {
    name: 'Nuxt',
    command: program('nuxt', 'nuxi'),
    port: 3000,
    reloads: true,
    quirks:
      'runs its server in a process of its own; its HMR WebSocket has another port, 24678 or one of the next',
  },
  { name: 'Astro', command: program('astro'), port: 4321, reloads: true, quirks: null },
  {
    name: 'SvelteKit',
    command: program('vite(?:\\s+dev)?(?!\\s+(?:build|preview))'),
    dependencies: ['@sveltejs/kit'],
    ...VITE,
  },
  {
    name: 'React Router',
    command: program('react-router', 'remix\\s+vite:dev', 'react-router-serve'),
    ...VITE,
  },
  { name: 'Remix', command: program('remix', 'remix-serve'), port: 3000, reloads: true, quirks: null },
  {
    name: 'Angular',
    command: program('ng\\s+serve', 'ng\\s+s'),
    port: 4200,
    reloads: true,
    quirks: 'asks for another port when its own is taken',
  },
  { name: 'Vite preview', command: program('vite\\s+preview'), port: 4173, reloads: false, quirks: null },
  { name: 'Vite', command: program('vite(?!\\s+build)'), ...VITE },
  {
    name: 'Create React App',
    command: program('react-scripts\\s+start'),
    port: 3000,
    reloads: true,
    quirks: 'asks for another port when its own is taken',
  },
  {
    name: 'Vue CLI',
    command: program('vue-cli-service\\s+serve'),
    port: 8080,
    reloads: true,
    quirks: 'takes the next port when its own is taken',
  },
  {
    name: 'Gatsby',
    command: program('gatsby\\s+develop'),
    port: 8000,
    reloads: true,
    swap: 'exclusive',
    quirks: 'one `gatsby develop` a folder: it holds .cache',
  },
  {
    name: 'Eleventy',
    command: /(?:^|[\s/])eleventy\s(?:.*\s)?--serve\b/,
    port: 8080,
    reloads: true,
    quirks: 'takes the next port when its own is taken',
  },
  {
    name: 'Parcel',
    command: program('parcel(?!\\s+(?:build|watch))'),
    port: 1234,
    reloads: true,
    quirks: null,
  },
  {
    name: 'http-server',
    command: program('http-server', 'live-server'),
    port: 8080,
    reloads: true,
    quirks: 'takes the next port when its own is taken',
  },
  {
    name: 'webpack-dev-server',
    command: program('webpack-dev-server', 'webpack\\s+serve', 'webpack\\s+s'),
    port: 8080,
    reloads: true,
    quirks: 'refuses Host names that allowedHosts lacks',
  },
  {
    name: 'Nest',
    command: program('nest\\s+start'),
    port: 3000,
    reloads: /--watch\b/,
    quirks: 'the running program is a child of `nest`',
  },

  {
    name: 'Django',
    command: /manage\.py\s+runserver|django-admin\s+runserver/,
    port: 8000,
    reloads: true,
    portIn: /runserver(?:\s+-\S+)*\s+(?:\S*:)?(\d+)/,
    quirks: 'its reloader runs the server in a child',
  },
  {
    name: 'FastAPI',
    command: program('fastapi\\s+dev', 'fastapi\\s+run'),
    port: 8000,
    reloads: /fastapi\s+dev/,
    quirks: null,
  },
  {
    name: 'gunicorn',
    command: program('gunicorn'),
    port: 8000,
    reloads: /--reload\b/,
    portIn: /(?:-b|--bind)[ =]?\S*:(\d+)/,
    quirks: null,
  },
  {
    name: 'uvicorn',
    command: program('uvicorn', 'hypercorn'),
    port: 8000,
    reloads: /--reload\b/,
    portIn: /(?:-b|--bind)[ =]?\S*:(\d+)/,
    quirks: null,
  },
  {
    name: 'Flask',
    command: program('flask(?:\\s+-\\S+(?:\\s+\\S+)?)*\\s+run'),
    port: 5000,
    reloads: /--debug\b|--reload\b/,
    quirks: 'with --debug its reloader runs the server in a child',
  },
  {
    name: 'Flask',
    command: PYTHON,
    dependencies: ['flask'],
    port: 5000,
    reloads: false,
    quirks: 'app.run(debug=True) reloads itself',
  },
  {
    name: 'Python http.server',
    command: /-m\s+http\.server\b/,
    port: 8000,
    reloads: true,
    portIn: /http\.server(?:\s+-\S+\s+\S+)*\s+(\d+)/,
    quirks: null,
  },

  {
    name: 'Rails',
    command: program('rails\\s+s', 'rails\\s+server', 'bin/dev'),
    port: 3000,
    reloads: true,
    quirks: 'tmp/pids/server.pid of a killed server keeps the next from starting',
  },
  {
    name: 'puma',
    command: program('puma', 'rackup'),
    port: 9292,
    reloads: false,
    portIn: /(?:-b|--bind)[ =]?\S*:(\d+)/,
    quirks: null,
  },

  {
    name: 'Laravel',
    command: /artisan\s+serve\b/,
    port: 8000,
    reloads: true,
    quirks: 'tries the next port when its own is taken',
  },
  {
    name: 'PHP',
    command: /(?:^|[\s/])php\d*(?:\.\d+)?\s(?:.*\s)?-S\s/,
    port: null,
    reloads: true,
    portIn: /-S\s+\S*:(\d+)/,
    quirks: 'one request at a time, unless PHP_CLI_SERVER_WORKERS is set',
  },

  {
    name: 'Go',
    command: program('go\\s+run', 'air', 'reflex', 'gow'),
    port: 8080,
    reloads: /(?:^|[\s/])(?:air|reflex|gow)\b/,
    quirks: '`go run` compiles first: the first answer takes as long',
  },
  {
    name: 'Rocket',
    command: program('cargo'),
    dependencies: ['rocket'],
    port: 8000,
    reloads: /cargo[ -]watch|watchexec/,
    quirks: null,
  },
  {
    name: 'axum',
    command: program('cargo'),
    dependencies: ['axum'],
    port: 3000,
    reloads: /cargo[ -]watch|watchexec/,
    quirks: null,
  },
  {
    name: 'Rust',
    command: program('cargo\\s+run', 'cargo\\s+watch', 'cargo-watch', 'bacon'),
    port: 8080,
    reloads: /cargo[ -]watch|watchexec|bacon/,
    quirks: '`cargo run` compiles first: give ready.timeout room',
  },

  {
    name: 'Spring',
    command: /\bspring-boot:run\b|\bbootRun\b|\bquarkus:dev\b|\bquarkusDev\b/,
    port: 8080,
    reloads: /quarkus/,
    portIn: /server\.port=(\d+)/,
    quirks: 'slow to start: give ready.timeout room',
  },
  {
    name: 'Java',
    command: program('java(?=\\s+(?:-|\\S+\\.java))', 'mvn\\s+exec:java', 'jbang'),
    port: 8080,
    reloads: false,
    portIn: /server\.port=(\d+)/,
    quirks: 'slow to start: give ready.timeout room',
  },
  {
    name: '.NET',
    command: program('dotnet\\s+run', 'dotnet\\s+watch'),
    port: 5000,
    reloads: /dotnet\s+watch/,
    portIn: /--urls[ =]\S*:(\d+)/,
    quirks: 'Properties/launchSettings.json may name another port',
  },

  {
    name: 'Fastify',
    command: program('fastify\\s+start', 'fastify'),
    port: 3000,
    reloads: /--watch\b|\s-w\b/,
    quirks: null,
  },
  {
    name: 'Fastify',
    command: NODE,
    dependencies: ['fastify'],
    port: 3000,
    reloads: NODE_RELOADS,
    quirks: null,
  },
  { name: 'Hono', command: NODE, dependencies: ['hono'], port: 3000, reloads: NODE_RELOADS, quirks: null },
  {
    name: 'Nest',
    command: NODE,
    dependencies: ['@nestjs/core'],
    port: 3000,
    reloads: NODE_RELOADS,
    quirks: null,
  },
  {
    name: 'Express',
    command: NODE,
    dependencies: ['express'],
    port: 3000,
    reloads: NODE_RELOADS,
    quirks: null,
  },
  {
    name: 'Deno',
    command: program('deno\\s+serve', 'deno\\s+run', 'deno\\s+-\\S+'),
    port: 8000,
    reloads: /--watch/,
    quirks: 'prints the address it was asked for, bound or not',
  },
  {
    name: 'Bun',
    command: program('bun'),
    port: 3000,
    reloads: /--watch\b|--hot\b/,
    quirks: 'prints the address it was asked for, bound or not',
  },
]
