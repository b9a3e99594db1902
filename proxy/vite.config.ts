import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/**
 * The daemon as it runs: copied to a folder named by its hash (native/assemble.mjs), away from the
 * node_modules that `npm ci` replaces, so it brings its packages along.
 */
export default defineConfig({
  root: path('..'),
  publicDir: false,
  logLevel: 'warn',
  ssr: {
    noExternal: true,
    // jiti loads its transform by path at run time, and is copied beside the bundle. The other two are
    // native accelerators that ws takes if somebody installed them.
    external: ['jiti', 'bufferutil', 'utf-8-validate'],
  },
  build: {
    ssr: true,
    target: 'node20',
    outDir: path('../dist/runtime'),
    emptyOutDir: true,
    // A stack trace in somebody's log should name the function that it came from.
    minify: false,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      input: { main: path('main.ts'), evaluate: path('config/evaluate.ts') },
      output: { format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'shared-[hash].js' },
    },
  },
})
