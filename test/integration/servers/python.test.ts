import { matrix } from './matrix.ts'

/** Debian's, which has the packages. */
const PYTHON = '/usr/bin/python3'
const versionOf = (module: string): string[] => [
  PYTHON,
  '-c',
  `from importlib.metadata import version; print(version('${module}'))`,
]
const ASGI = `async def app(scope, receive, send):
    assert scope['type'] == 'http'
    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'2')]})
    await send({'type': 'http.response.body', 'body': b'v1'})
`

matrix('python', [
  {
    name: 'python -m http.server',
    version: [PYTHON, '--version'],
    files: { 'index.html': 'v1' },
    command: `${PYTHON} -m http.server $PORT`,
    logs: /^127\.0\.0\.1 .*GET/m,
    reloads: 'index.html',
  },
  {
    name: 'Flask --debug',
    version: versionOf('flask'),
    files: {
      'app.py': `from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef root(): return 'v1'\n`,
    },
    command: `${PYTHON} -m flask --app app --debug run --port $PORT`,
    logs: /127\.0\.0\.1 .*GET/,
    reloads: 'app.py',
  },
  {
    name: 'Django runserver',
    version: versionOf('django'),
    files: {
      'app.py': `import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
settings.configure(DEBUG=True, SECRET_KEY='x', ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'])
def root(request): print('from', request.META['REMOTE_ADDR']); return HttpResponse('v1')
urlpatterns = [path('', root)]
if __name__ == '__main__': execute_from_command_line(sys.argv)
`,
    },
    command: `${PYTHON} app.py runserver $PORT`,
    logs: /from 127\.0\.0\.1/,
    reloads: 'app.py',
  },
  {
    name: 'uvicorn --reload',
    version: versionOf('uvicorn'),
    files: { 'app.py': ASGI },
    command: `${PYTHON} -m uvicorn app:app --port $PORT --reload`,
    logs: /127\.0\.0\.1:\d+ - "GET/,
    reloads: 'app.py',
  },
  {
    name: 'gunicorn, two workers',
    version: versionOf('gunicorn'),
    files: {
      'app.py': `def app(environ, start):\n    start('200 OK', [('Content-Length', '2')])\n    return [b'v1']\n`,
    },
    command: `/usr/bin/gunicorn -w 2 -b 127.0.0.1:$PORT --access-logfile - app:app`,
    logs: /^(::ffff:)?127\.0\.0\.1 .*GET/m,
    notes: 'takes LISTEN_FDS',
  },
  {
    name: 'hypercorn',
    version: versionOf('hypercorn'),
    files: { 'app.py': ASGI },
    command: `${PYTHON} -m hypercorn -b 127.0.0.1:$PORT --access-logfile - app:app`,
    logs: /127\.0\.0\.1:\d+/,
  },
])
