// A small Node server, on fd 3 or on $PORT.
import { createServer } from 'node:http'

createServer((_request, response) => response.end('hello\n')).listen(
  process.env.LISTEN_FDS ? { fd: 3 } : Number(process.env.PORT),
)
