import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { CURVE_POINTS, type Curve } from '../model/usage.ts'
import { bytes } from '../model/words.ts'
import { useModel } from '../store.ts'

const WIDTH = 120
const HEIGHT = 28
/** An idle server's noise is to look like noise: the scale of the processor does not go below this many percent. */
const LEAST_CPU = 25

/** Memory (line) and processor (area) of the last minute. */
export function Sparkline({ service }: { service: ServiceStatus }) {
  const { usage } = useModel()
  const { id, memory, cpu } = service
  const words =
    memory === null ? 'nothing runs' : `memory ${bytes(memory)}, ${cpu === null ? '' : `${cpu} % of a core`}`
  return (
    <span className="spark" role="img" aria-label={words} title={`${words}, last minute`}>
      <Plot curve={usage[id]} />
    </span>
  )
}

function Plot({ curve }: { curve: Curve | undefined }) {
  const frame = useRef<HTMLSpanElement>(null)
  const plot = useRef<uPlot | null>(null)

  useEffect(() => {
    const element = frame.current
    if (!element) return
    const build = (): void => {
      const data = plot.current?.data ?? [[], [], []]
      plot.current?.destroy()
      plot.current = new uPlot(options(element), data, element)
    }
    build()
    // A canvas does not know that the system's colours changed.
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', build)
    return () => {
      dark.removeEventListener('change', build)
      plot.current?.destroy()
      plot.current = null
    }
  }, [])
  useEffect(() => {
    if (curve) plot.current?.setData([curve.times, curve.memory, curve.cpu])
  }, [curve])

  return <span ref={frame} />
}

function options(element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  return {
    width: element.clientWidth || WIDTH,
    height: HEIGHT,
    padding: [2, 0, 1, 0],
    legend: { show: false },
    cursor: { show: false },
    axes: [{ show: false }, { show: false }, { show: false }],
    scales: {
      x: { time: true, range: (_, __, to) => [to - CURVE_POINTS, to] },
      memory: { range: (_, __, most) => [0, (most || 1) * 1.15] },
      cpu: { range: (_, __, most) => [0, Math.max(LEAST_CPU, most || 0)] },
    },
    series: [
      {},
      { scale: 'memory', stroke: colour('--chart-memory'), width: 1.25, points: { show: false } },
      {
        scale: 'cpu',
        stroke: colour('--chart-cpu'),
        fill: colour('--chart-cpu-area'),
        width: 1,
        points: { show: false },
      },
    ],
  }
}
