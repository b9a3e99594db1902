import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** CommonJS, because `--require` takes nothing else; two files, because most processes need only the first. */
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
      input: { 'devsock-node': path('boot.ts') },
      output: { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: 'devsock-node-[name].cjs' },
    },
  },
})
