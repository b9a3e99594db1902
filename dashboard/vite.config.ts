import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** The page as the daemon serves it: beside the daemon's bundle, so that both are of one version. */
export default defineConfig({
  root: path('.'),
  plugins: [react()],
  logLevel: 'warn',
  build: {
    outDir: path('../dist/runtime/dashboard'),
    emptyOutDir: true,
    target: 'es2023',
    // The policy `default-src 'self'` refuses data: URLs.
    assetsInlineLimit: 0,
    // Everything is one file; there is nothing to load ahead.
    modulePreload: false,
    reportCompressedSize: true,
    license: { fileName: 'licenses.md' },
  },
})
