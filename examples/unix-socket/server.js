// curl --unix-socket app.sock http://localhost/
import { createServer } from 'node:http'

createServer((_request, response) =>
  response.end(`hello over a unix socket from pid ${process.pid}\n`),
).listen(process.env.LISTEN_FDS ? { fd: 3 } : 'app.sock')
