// What a package does while it loads, other than define what it exports: `node probe.cjs NAME` prints it as JSON.
const fs = require('node:fs')
const Module = require('node:module')

const [, , name] = process.argv

/** The objects that are everybody's: globals, what they are made of, Node's modules and their classes. */
function shared() {
  const found = new Map([
    ['globalThis', globalThis],
    ['process', process],
    ['Module', Module],
    ['Module._extensions', Module._extensions],
  ])
  const add = (path, value) => {
    if (typeof value !== 'function') return
    found.set(path, value)
    if (value.prototype) found.set(`${path}.prototype`, value.prototype)
  }
  for (const key of Object.getOwnPropertyNames(globalThis)) add(key, globalThis[key])
  for (const key of Module.builtinModules) {
    // Of the others some warn, and none is a server's.
    if (/^_|\/|^(punycode|sys|wasi|repl|inspector|cluster|test)$/.test(key)) continue
    const module = require(`node:${key}`)
    found.set(key, module)
    for (const [each, value] of Object.entries(module)) add(`${key}.${each}`, value)
  }
  return found
}

/** NaN is itself here. */
const valuesOf = (object) =>
  new Map(
    Reflect.ownKeys(object).map((key) => {
      const { get, value } = Object.getOwnPropertyDescriptor(object, key)
      return [key, get ?? value]
    }),
  )

const listeners = () =>
  process.eventNames().map((event) => `${String(event)} ${process.listenerCount(event)}`)

// Some of Node's own come when they are first asked for.
for (const key of Object.getOwnPropertyNames(globalThis)) void globalThis[key]
const before = [...shared()].map(([path, object]) => ({ path, object, values: valuesOf(object) }))
const listening = listeners()
const resources = process.getActiveResourcesInfo()

/** Names of variables; `*`: it lists them. */
const variables = new Set()
const environment = process.env
process.env = new Proxy(environment, {
  get: (target, key) => variables.add(String(key)) && target[key],
  has: (target, key) => variables.add(String(key)) && key in target,
  ownKeys(target) {
    // `debug` looks for those that begin with DEBUG_.
    if (!/node_modules\/debug\//.test(new Error().stack)) variables.add('*')
    return Reflect.ownKeys(target)
  },
})

/** Calls of the file system for other paths than a package's own. Through what Node's own functions call. */
const files = new Set()
const binding = process.binding('fs')
const original = { ...binding }
for (const [call, run] of Object.entries(original)) {
  // The loader's own: it looks for packages, and resolves links.
  if (typeof run !== 'function' || /^(internalModuleStat|legacyMainResolve|lstat|[A-Z].*)$/.test(call))
    continue
  binding[call] = function (...given) {
    const path = given.find((each) => typeof each === 'string')
    if (call.startsWith('write') || (path && !path.includes('/node_modules/'))) files.add(`${call} ${path}`)
    return Reflect.apply(run, this, given)
  }
}
require(name)
Object.assign(binding, original)
process.env = environment

const changed = before.flatMap(({ path, object, values }) => {
  const now = valuesOf(object)
  const keys = new Set([...values.keys(), ...now.keys()])
  const other = [...keys].filter((key) => !Object.is(values.get(key), now.get(key)))
  return other.map((key) => `${path}.${String(key)}`).filter((each) => each !== 'process.env')
})
const sources = Object.keys(require.cache).filter((path) => path !== __filename)
const asksWhoIsMain = sources.filter((path) =>
  /\brequire\.main\b|\bmodule\.parent\b|\bmainModule\b/.test(fs.readFileSync(path, 'utf8')),
)
process.stdout.write(
  JSON.stringify({
    modules: sources.length,
    variables: [...variables],
    files: [...files],
    changed,
    listeners: listeners().filter((each) => !listening.includes(each)),
    resources: process.getActiveResourcesInfo().slice(resources.length),
    asksWhoIsMain,
  }),
)
process.exit()
