import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/**
 * The command line as it is installed: CommonJS, because Node loads that without its ESM loader, whose work for
 * two dozen small modules is a third of what `devsock status` takes. The screen of `up` stays beside it as tsc
 * wrote it: Ink has a top-level await, which CommonJS cannot have.
 */
export default defineConfig({
  root: path('..'),
  publicDir: false,
  logLevel: 'warn',
  plugins: [
    {
      name: 'screen-as-it-is',
      enforce: 'pre',
      resolveId: (id) =>
        id.endsWith('/ui/run-screen.tsx') ? { id: './ui/run-screen.js', external: true } : null,
    },
  ],
  build: {
    ssr: true,
    target: 'node20',
    outDir: path('../dist/cli'),
    emptyOutDir: false,
    minify: false,
    rolldownOptions: {
      input: { main: path('main.ts') },
      output: { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name].cjs' },
    },
  },
})
