import { expect, test } from 'vitest'
import { colouredLog, plain } from '../../proxy/modes/log-markup.ts'

test.each<[what: string, line: string, html: string, text: string]>([
  ['text', 'a < b && "c"', 'a &lt; b &amp;&amp; &quot;c&quot;', 'a < b && "c"'],
  ['a colour', '\x1b[31mred\x1b[0m', '<span class="ansi-red-fg">red</span>', 'red'],
  ['one of the big palette', '\x1b[38;2;1;2;3mx\x1b[0m', '<span style="color:rgb(1,2,3)">x</span>', 'x'],
  [
    'a colour with markup in it',
    '\x1b[1m<b>\x1b[0m',
    '<span style="font-weight:bold">&lt;b&gt;</span>',
    '<b>',
  ],
  ['no colour', '\x1b[31"><script>m', '&gt;&lt;script&gt;m', '><script>m'],
  ['colours with colons', '\x1b[38:2::255:0:0mx', 'x', 'x'],
  ['a link', '\x1b]8;;javascript:alert(1)\x1b\\here\x1b]8;;\x1b\\', 'here', 'here'],
  ['a window title, unfinished', '\x1b]0;<title>', '', ''],
  ['moves of the cursor', 'a\x1b[2J\x1b[10;10Hb\x1b7\x1bc', 'ab', 'ab'],
  ['8-bit forms', 'a\x9b31mb\x9dc\x9cd', 'abd', 'abd'],
  ['controls', 'a\x00\x08\rb\tc', 'ab\tc', 'ab\tc'],
  ['text turned round', 'a\u202eb\u2066c', 'abc', 'abc'],
])('%s in a log', (_, line, html, text) => {
  expect(colouredLog([line])).toBe(html)
  expect(plain(line)).toBe(text)
})

test('a colour goes on over lines until it is changed', () => {
  expect(colouredLog(['\x1b[32ma', 'b\x1b[0m', 'c'])).toBe('<span class="ansi-green-fg">a\nb</span>\nc')
})
