// Runs a TypeScript module with its arguments: `node test/run.mjs FILE [ARGUMENT…]`. jiti cannot load what imports
// playwright-core.
import { runnerImport } from 'vite'

const [file] = process.argv.splice(2, 1)
await runnerImport(`./${file}`, { oxc: { target: 'es2022' } })
