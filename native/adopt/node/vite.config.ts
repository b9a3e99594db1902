import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** CommonJS, because `--require` takes nothing else; several files, because most processes need only the first. */
export default defineConfig({
  root: path('../../..'),
  publicDir: false,
  logLevel: 'warn',
  build: {
    ssr: true,
    target: 'node18',
    outDir: path('../../../dist/runtime'),
    emptyOutDir: false,
    minify: false,
    rolldownOptions: {
      input: {
        'devsock-node': path('boot.ts'),
        'devsock-node-main': path('main.ts'),
        'devsock-node-standby': path('standby.ts'),
      },
      // What boot.ts asks for by their names.
      external: /^\.\/devsock-node-/,
      output: { format: 'cjs', entryFileNames: '[name].cjs' },
    },
  },
})
