import { Box, Text } from 'ink'
import { formatLogLine, labelWidth } from '../print/log.ts'
import type { Paint } from '../print/paint.ts'
import type { LogWindow } from './log-window.ts'

interface Props {
  logs: LogWindow
  filter: string
  rows: number
  labels: string[]
  paint: Paint
  colours: boolean
}

/** The newest lines of all services that fit; what they print is made safe line by line, only when it is shown. */
export function LogPane({ logs, filter, rows, labels, paint, colours }: Props) {
  const width = Math.min(labelWidth(labels), 16)
  return (
    <Box flexDirection="column" height={rows}>
      {logs.last(rows, filter).map(({ id, label, text }) => (
        <Text key={id} wrap="truncate">
          {formatLogLine(text, label, width, paint, colours)}
        </Text>
      ))}
    </Box>
  )
}
