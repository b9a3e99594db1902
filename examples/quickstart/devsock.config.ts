import { defineConfig } from 'devsock'

export default defineConfig({
  services: {
    web: { command: 'node web/server.js', listen: 4600, watch: ['web/**'] },
    api: { command: 'node api/server.js', listen: 4601, watch: ['api/**'] },
  },
})
