import { useMemo } from 'react'
import { nameOf, plural, projectOf, SYMBOLS } from '../model/words.ts'
import { serviceHref } from '../route.ts'
import type { Connection, Graph, Node } from './graph.ts'
import { layoutOf, type Point } from './layout.ts'
import { useMedia } from './use-media.ts'

const BOX = { width: 168, height: 54, between: 96, beside: 22 }
const NARROW = { width: 148, height: 54, between: 44, beside: 14 }
/** px around the boxes, for their outlines. */
const MARGIN = 4

/** The graph as a picture: from left to right, on a phone from top to bottom. */
export function Drawing({ graph }: { graph: Graph }) {
  const isNarrow = useMedia('(max-width: 760px)')
  const measures = isNarrow ? NARROW : BOX
  // It changes with who is there, not with what they do.
  const shape = JSON.stringify([
    graph.nodes.map(({ id }) => id),
    graph.connections.map(({ from, to }) => ({ from, to })).toSorted(byEnds),
  ])
  const layout = useMemo(() => {
    const [ids, lines] = JSON.parse(shape) as [string[], { from: string; to: string }[]]
    return layoutOf(ids, lines, measures, isNarrow)
  }, [shape, measures, isNarrow])
  const isShared = new Set(graph.nodes.flatMap(({ id, service }) => (service ? projectOf(id) : []))).size > 1
  const [width, height] = [layout.width + 2 * MARGIN, layout.height + 2 * MARGIN]
  return (
    <figure className="graph-frame">
      <svg width={width} height={height} viewBox={`${-MARGIN} ${-MARGIN} ${width} ${height}`}>
        <title>{`${plural(graph.nodes.length, 'node')}, ${plural(graph.connections.length, 'connection')}`}</title>
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path className="graph-arrow" d="M0 0.5 7.5 4 0 7.5z" />
          </marker>
        </defs>
        {graph.connections.map((connection) => (
          <Line
            key={`${connection.from} ${connection.to}`}
            connection={connection}
            points={layout.lines.get(`${connection.from} ${connection.to}`) ?? []}
            isDown={isNarrow}
          />
        ))}
        {graph.nodes.map((node) => (
          <Box
            key={node.id}
            node={node}
            place={layout.places.get(node.id)}
            measures={measures}
            project={isShared ? projectOf(node.id) : ''}
          />
        ))}
      </svg>
    </figure>
  )
}

interface BoxProps {
  node: Node
  place: Point | undefined
  measures: typeof BOX
  /** Where there are several. */
  project: string
}

function Box({ node, place, measures, project }: BoxProps) {
  if (place === undefined) return null
  const { id, service } = node
  const { width, height } = measures
  const frame = <rect width={width} height={height} rx={service ? 10 : 27} />
  const transform = `translate(${place.x} ${place.y})`
  if (service === null)
    return (
      <g className="graph-box program" transform={transform}>
        {frame}
        <text x={width / 2} y={height / 2} className="graph-name">
          {shortened(id, 18)}
        </text>
      </g>
    )
  const port = service.sockets.find((socket) => socket.port !== null)?.port
  return (
    <a href={serviceHref(id)} className="graph-link">
      <g className={`graph-box box-${service.state}`} transform={transform}>
        {frame}
        <text x={14} y={22} className="graph-name">
          {shortened(nameOf(id), 16)}{' '}
        </text>
        <text x={width - 14} y={22} className="graph-aside">
          {shortened(project, Math.max(0, 17 - nameOf(id).length))}
        </text>
        <text x={14} y={41} className={`graph-state state-${service.state}`}>
          {SYMBOLS[service.state]} {service.state}{' '}
        </text>
        {port && (
          <text x={width - 14} y={41} className="graph-aside">
            {port}
          </text>
        )}
      </g>
    </a>
  )
}

function Line({ connection, points, isDown }: { connection: Connection; points: Point[]; isDown: boolean }) {
  const { from, to, open } = connection
  const middle = midpoint(points)
  return (
    <g className={open > 0 ? 'graph-line open' : 'graph-line'}>
      <title>{`${nameOf(from)} → ${nameOf(to)}, ${open} open`}</title>
      <path d={curve(points, isDown)} markerEnd="url(#arrow)" />
      {open > 0 && middle && (
        <g transform={`translate(${middle.x} ${middle.y})`}>
          <rect className="graph-count" x={-12} y={-9} width={24} height={18} rx={9} />
          <text>{open > 999 ? '1k+' : open}</text>
        </g>
      )}
    </g>
  )
}

/** Bends that leave a box, and come to one, straight. */
function curve(points: Point[], isDown: boolean): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  let path = `M${first.x} ${first.y}`
  let at = first
  for (const { x, y } of rest) {
    const [cx, cy] = [(at.x + x) / 2, (at.y + y) / 2]
    path += isDown ? ` C${at.x} ${cy} ${x} ${cy} ${x} ${y}` : ` C${cx} ${at.y} ${cx} ${y} ${x} ${y}`
    at = { x, y }
  }
  return path
}

function midpoint(points: Point[]): Point | null {
  const [a, b] = [points[(points.length - 1) >> 1], points[points.length >> 1]]
  return a && b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : null
}

const byEnds = (a: { from: string; to: string }, b: { from: string; to: string }): number =>
  `${a.from} ${a.to}`.localeCompare(`${b.from} ${b.to}`)

const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, Math.max(0, most - 1))}…` : text
