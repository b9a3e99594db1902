/** Where the boxes of a layered drawing are, in px from its corner. */
export interface Layout {
  width: number
  height: number
  /** The box's corner, by the node's id. */
  places: Map<string, Point>
  /** Points that a line goes through, from one box's side to the other's; by `from to`. */
  lines: Map<string, Point[]>
}

export interface Point {
  x: number
  y: number
}

export interface Measures {
  /** Of a box. */
  width: number
  height: number
  /** Between two layers, and between neighbours in one. */
  between: number
  beside: number
}

interface Line {
  from: string
  to: string
}

/** Passes over all layers that put neighbours near what they are connected to. */
const SWEEPS = 4

/**
 * A drawing in layers, as Sugiyama's: what connects stands before what it connects to, lines over several layers
 * get a place of their own in each, and each layer is in the order of its neighbours. `isDown`: layers go down the
 * page, as a phone has room for.
 */
export function layoutOf(
  ids: readonly string[],
  lines: readonly Line[],
  { width, height, between, beside }: Measures,
  isDown: boolean,
): Layout {
  const depths = depthsOf(ids, lines)
  const layers: string[][] = []
  for (const id of ids) layer(layers, depths.get(id) ?? 0).push(id)
  const { hops, paths } = withStations(layers, lines, depths)
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) order(layers, hops, sweep % 2 === 0)

  // Along the layers and across them; a station is a thin line's place.
  const [along, across] = isDown ? [height, width] : [width, height]
  const thickness = (id: string): number => (depths.has(id) ? across : beside)
  const spread = layers.map((ids) => ids.reduce((sum, id) => sum + thickness(id) + beside, -beside))
  const widest = Math.max(0, ...spread)
  const places = new Map<string, Point>()
  const middles = new Map<string, Point>()
  const point = (a: number, b: number): Point => (isDown ? { x: b, y: a } : { x: a, y: b })
  for (const [depth, ids] of layers.entries()) {
    const a = depth * (along + between)
    let b = (widest - (spread[depth] ?? 0)) / 2
    for (const id of ids) {
      if (depths.has(id)) places.set(id, point(a, b))
      middles.set(id, point(a + along / 2, b + thickness(id) / 2))
      b += thickness(id) + beside
    }
  }
  const total = Math.max(along, layers.length * (along + between) - between)
  const corner = point(total, widest)
  const side = (id: string, sign: number): Point => {
    const middle = middles.get(id) ?? { x: 0, y: 0 }
    const by = (sign * along) / 2
    return isDown ? { x: middle.x, y: middle.y + by } : { x: middle.x + by, y: middle.y }
  }
  const drawn = new Map(
    lines.map(({ from, to }): [string, Point[]] => {
      const stations = paths.get(`${from} ${to}`) ?? []
      const through = stations.flatMap((id) => middles.get(id) ?? [])
      return [`${from} ${to}`, [side(from, 1), ...through, side(to, -1)]]
    }),
  )
  return { width: corner.x, height: corner.y, places, lines: drawn }
}

/** The longest way to each; a line that would close a circle counts for nothing. */
function depthsOf(ids: readonly string[], lines: readonly Line[]): Map<string, number> {
  const depths = new Map<string, number>()
  const under = new Set<string>()
  const depth = (id: string): number => {
    const known = depths.get(id)
    if (known !== undefined) return known
    under.add(id)
    const before = lines.filter(({ from, to }) => to === id && !under.has(from))
    const found = Math.max(0, ...before.map(({ from }) => depth(from) + 1))
    under.delete(id)
    depths.set(id, found)
    return found
  }
  for (const id of ids) depth(id)
  return depths
}

/** Gives lines that pass a layer a station in it. `hops`: all lines, from one layer to the next. */
function withStations(
  layers: string[][],
  lines: readonly Line[],
  depths: ReadonlyMap<string, number>,
): { hops: Line[]; paths: Map<string, string[]> } {
  const hops: Line[] = []
  const paths = new Map<string, string[]>()
  for (const { from, to } of lines) {
    const stations: string[] = []
    for (let depth = (depths.get(from) ?? 0) + 1; depth < (depths.get(to) ?? 0); depth += 1) {
      const station = `${from} ${to} ${depth}`
      layer(layers, depth).push(station)
      stations.push(station)
    }
    paths.set(`${from} ${to}`, stations)
    const stops = [from, ...stations, to]
    for (const [index, stop] of stops.slice(1).entries()) hops.push({ from: stops[index] ?? from, to: stop })
  }
  return { hops, paths }
}

/** Each layer by the mean place of its neighbours in the one before (or after) it; without any, it stays. */
function order(layers: string[][], hops: readonly Line[], forward: boolean): void {
  const sequence = forward ? layers : layers.toReversed()
  for (const [index, ids] of sequence.entries()) {
    const before = sequence[index - 1]
    if (before === undefined) continue
    const places = new Map(before.map((id, place) => [id, place]))
    const weight = (id: string, own: number): number => {
      const near = hops.flatMap(({ from, to }) => {
        const other = forward ? (to === id ? from : null) : from === id ? to : null
        return (other === null ? undefined : places.get(other)) ?? []
      })
      return near.length === 0 ? own : near.reduce((sum, place) => sum + place, 0) / near.length
    }
    const weights = new Map(ids.map((id, own) => [id, weight(id, own)]))
    ids.sort((a, b) => (weights.get(a) ?? 0) - (weights.get(b) ?? 0))
  }
}

function layer(layers: string[][], depth: number): string[] {
  for (let at = layers.length; at <= depth; at += 1) layers.push([])
  return layers[depth] ?? []
}
