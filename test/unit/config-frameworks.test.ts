import { describe, expect, test } from 'vitest'
import { type Folder, factsOf, proposeServices } from '../../proxy/config/detect.ts'
import { readFolder } from '../../proxy/config/folder.ts'
import { FRAMEWORKS } from '../../proxy/config/frameworks.ts'
import { followScripts, recognise } from '../../proxy/config/recognise.ts'
import { TestFolder } from './config-folder.ts'

function folder(files: Record<string, string | object>): Folder {
  const texts = Object.entries(files).map(([name, content]): [string, string] => [
    name,
    typeof content === 'string' ? content : JSON.stringify(content),
  ])
  return { files: new Set(Object.keys(files)), contents: new Map(texts) }
}

function server(command: string, dependencies: string[] = []): string {
  const found = recognise(command, { scripts: {}, dependencies: new Set(dependencies) })
  return found ? `${found.framework.name} ${found.port} ${found.reloads ? 'reloads' : '-'}` : 'unknown'
}

describe('a server is known by its command', () => {
  test.each<[string, string, string[]?]>([
    ['vite', 'Vite 5173 reloads'],
    ['vite --port 4000', 'Vite 4000 reloads'],
    ['npx vite dev --port=4000 --host', 'Vite 4000 reloads'],
    ['node_modules/.bin/vite', 'Vite 5173 reloads'],
    ['vite preview', 'Vite preview 4173 -'],
    ['vite build', 'unknown'],
    ['vitest', 'unknown'],
    ['vite dev', 'SvelteKit 5173 reloads', ['@sveltejs/kit']],
    ['next dev', 'Next 3000 reloads'],
    ['next dev --turbopack -p 3100', 'Next 3100 reloads'],
    ['nuxt dev', 'Nuxt 3000 reloads'],
    ['astro dev', 'Astro 4321 reloads'],
    ['react-router dev', 'React Router 5173 reloads'],
    ['remix vite:dev', 'React Router 5173 reloads'],
    ['ng serve', 'Angular 4200 reloads'],
    ['webpack serve --mode development', 'webpack-dev-server 8080 reloads'],
    ['react-scripts start', 'Create React App 3000 reloads'],
    ['vue-cli-service serve', 'Vue CLI 8080 reloads'],
    ['gatsby develop', 'Gatsby 8000 reloads'],
    ['npx @11ty/eleventy --serve', 'Eleventy 8080 reloads'],
    ['eleventy', 'unknown'],
    ['parcel index.html', 'Parcel 1234 reloads'],
    ['parcel build index.html', 'unknown'],
    ['http-server -p 8081 dist', 'http-server 8081 reloads'],
    ['storybook dev -p 6007', 'Storybook 6007 reloads'],
    ['nest start --watch', 'Nest 3000 reloads'],
    ['node src/server.js', 'Express 3000 -', ['express']],
    ['node --watch src/server.js', 'Express 3000 reloads', ['express']],
    ['PORT=3001 nodemon server.js', 'Express 3001 reloads', ['express']],
    ['cross-env PORT=3001 tsx watch server.ts', 'Fastify 3001 reloads', ['fastify', 'express']],
    ['tsx server.ts', 'Hono 3000 -', ['hono']],
    ['node server.js', 'unknown'],
    ['python manage.py runserver', 'Django 8000 reloads'],
    ['python manage.py runserver 0.0.0.0:8001', 'Django 8001 reloads'],
    ['python manage.py runserver 8001', 'Django 8001 reloads'],
    ['flask run', 'Flask 5000 -'],
    ['flask --app main run --debug -p 5001', 'Flask 5001 reloads'],
    ['python3 app.py', 'Flask 5000 -', ['flask']],
    ['fastapi dev main.py', 'FastAPI 8000 reloads'],
    ['uvicorn main:app --reload --port 8080', 'uvicorn 8080 reloads'],
    ['gunicorn -b 127.0.0.1:9000 app:app', 'gunicorn 9000 -'],
    ['python3 -m http.server', 'Python http.server 8000 reloads'],
    ['python3 -m http.server 8123', 'Python http.server 8123 reloads'],
    ['bundle exec rails server', 'Rails 3000 reloads'],
    ['bin/rails s -p 3003', 'Rails 3003 reloads'],
    ['bundle exec puma -b tcp://127.0.0.1:9393', 'puma 9393 -'],
    ['rackup', 'puma 9292 -'],
    ['php -S localhost:8888 -t public', 'PHP 8888 reloads'],
    ['php artisan serve', 'Laravel 8000 reloads'],
    ['go run ./cmd/server', 'Go 8080 -'],
    ['air', 'Go 8080 reloads'],
    ['cargo run --bin server', 'Rust 8080 -'],
    ['cargo run', 'Rocket 8000 -', ['rocket']],
    ['cargo run', 'axum 3000 -', ['axum']],
    ['./mvnw spring-boot:run', 'Spring 8080 -'],
    ['./gradlew bootRun', 'Spring 8080 -'],
    ['java Server.java', 'Java 8080 -'],
    ['java -jar target/shop.jar --server.port=8081', 'Java 8081 -'],
    ['dotnet watch', '.NET 5000 reloads'],
    ['dotnet run --urls http://localhost:5005', '.NET 5005 -'],
    ['deno serve main.ts', 'Deno 8000 -'],
    ['deno run -A main.ts', 'Deno 8000 -'],
    ['bun --hot server.ts', 'Bun 3000 reloads'],
    ['bun server.ts', 'Hono 3000 -', ['hono']],
    ['echo next week', 'unknown'],
    ['next', 'Next 3000 reloads'],
    ['./serve', 'unknown'],
  ])('%s: %s', (command, expected, dependencies) => {
    expect(server(command, dependencies)).toBe(expected)
  })

  test('every framework that is promised is in the table', () => {
    const names = new Set(FRAMEWORKS.map(({ name }) => name))
    const promised =
      'Vite Next Nuxt Astro SvelteKit Remix Angular webpack-dev-server Storybook Express Fastify Hono Nest Flask Django FastAPI uvicorn gunicorn Rails puma PHP Laravel Go Rust Java Spring .NET Deno Bun'
    for (const name of [...promised.split(' '), 'React Router']) expect(names).toContain(name)
  })
})

describe('scripts are followed to what they run', () => {
  const scripts = {
    dev: 'npm run dev:web -- --host',
    'dev:web': 'vite',
    start: 'NODE_ENV=x node .',
    a: 'yarn b',
    b: 'pnpm a',
  }
  test.each([
    ['npm run dev', 'vite --host'],
    ['npm run dev -- --port 5180', 'vite --host --port 5180'],
    ['npm start', 'NODE_ENV=x node .'],
    ['pnpm dev:web', 'vite'],
    ['yarn dev:web --port 1', 'vite --port 1'],
    ['cd x && bun run dev:web', 'vite'],
    ['node --run dev:web', 'vite'],
    ['npm run nowhere', 'npm run nowhere'],
    ['npm install', 'npm install'],
  ])('%s → %s', (command, expected) => {
    expect(followScripts(command, scripts)).toBe(expected)
  })

  test('and not in circles', () => {
    expect(followScripts('npm run a', scripts)).toMatch(/^(yarn b|pnpm a)$/)
  })
})

describe('a project is proposed services', () => {
  test('one for each dev:… script, with what to watch where nothing reloads', () => {
    const shop = folder({
      'package.json': {
        scripts: {
          dev: 'concurrently npm:dev:*',
          'dev:web': 'vite',
          'dev:api': 'node src/api.js',
          'dev:css': 'tailwind -w',
        },
        dependencies: { express: '5', vite: '8' },
      },
      'src/api.js': 'const port = process.env.PORT ?? 3001\napp.listen(port)',
    })
    expect(proposeServices(shop)).toEqual([
      { name: 'web', command: 'npm run dev:web', framework: 'Vite', port: 5173, watch: null },
      { name: 'api', command: 'npm run dev:api', framework: 'Express', port: 3001, watch: ['src/**'] },
    ])
  })

  test('never one port for two of them', () => {
    const scripts = { 'dev:a': 'vite', 'dev:b': 'vite', 'dev:c': 'vite --port 5174' }
    expect(proposeServices(folder({ 'package.json': { scripts } })).map(({ port }) => port)).toEqual([
      5173, 5174, 5175,
    ])
  })

  test.each<[Record<string, string | object>, string]>([
    [
      { 'package.json': { scripts: { dev: 'next dev', start: 'next start' } }, 'pnpm-lock.yaml': '' },
      'web pnpm run dev Next 3000',
    ],
    [{ 'package.json': { scripts: { test: 'x' } } }, ''],
    [{ 'package.json': '{ broken' }, ''],
    [{ 'deno.json': { tasks: { dev: 'deno serve main.ts' } } }, 'web deno task dev Deno 8000'],
    [{ 'manage.py': '', 'requirements.txt': 'Django==5.1' }, 'web python manage.py runserver Django 8000'],
    [
      { 'pyproject.toml': 'dependencies = ["fastapi[standard]>=0.1"]', 'main.py': '' },
      'web uvicorn main:app --reload uvicorn 8000',
    ],
    [{ 'requirements.txt': 'Flask>=3\n', 'app.py': '' }, 'web flask run --debug Flask 5000'],
    [{ Gemfile: 'gem "rails"', 'bin/rails': '' }, 'web bin/rails server Rails 3000'],
    [{ Gemfile: 'gem "puma"', 'config.ru': '' }, 'web bundle exec puma puma 9292'],
    [{ 'composer.json': {}, artisan: '' }, 'web php artisan serve Laravel 8000'],
    [{ 'public/index.php': '' }, 'web php -S localhost:8000 -t public PHP 8000'],
    [{ 'go.mod': 'module x' }, 'web go run . Go 8080'],
    [{ 'Cargo.toml': '[dependencies]\naxum = "0.8"' }, 'web cargo run axum 3000'],
    [
      { 'pom.xml': '<artifactId>spring-boot-maven-plugin</artifactId>', mvnw: '' },
      'web ./mvnw spring-boot:run Spring 8080',
    ],
    [{ 'shop.csproj': '' }, 'web dotnet watch .NET 5000'],
    [{ 'README.md': '' }, ''],
  ])('%j', (files, expected) => {
    const proposals = proposeServices(folder(files))
    expect(
      proposals.map(({ name, command, framework, port }) => `${name} ${command} ${framework} ${port}`).join(),
    ).toBe(expected)
  })

  test('from a folder as it is read from the disk', async () => {
    await using shop = await TestFolder.with({
      'package.json': { scripts: { dev: 'vite' } },
      'src/main.ts': '',
      'node_modules/x/package.json': {},
    })
    const read = await readFolder(shop.path)
    expect([...read.files].sort()).toEqual(['package.json', 'src/main.ts'])
    expect(factsOf(read).scripts).toEqual({ dev: 'vite' })
    expect(await readFolder(shop.file('nowhere'))).toEqual({ files: new Set(), contents: new Map() })
  })
})
