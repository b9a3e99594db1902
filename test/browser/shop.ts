import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'

export interface Shop {
  rig: Rig
  web: number
  api: number
}

/** `web` and `api`, both held. */
export async function shop(extra = ''): Promise<Shop> {
  const rig = await Rig.create({ files: { 'web.mjs': nodeServer('v1', extra), 'api.mjs': nodeServer() } })
  const [web, api] = [await rig.port(), await rig.port()]
  await rig.configure({
    web: { command: ['node', 'web.mjs'], listen: web, watch: ['web.mjs'] },
    api: { command: ['node', 'api.mjs'], listen: api, watch: ['api.mjs'], retry: { limit: 0 } },
  })
  await rig.up()
  return { rig, web, api }
}
