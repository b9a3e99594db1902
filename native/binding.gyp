{
  # A sanitizer build (native/build.mjs --sanitize) sets this to 1.
  'variables': { 'sanitize%': 0 },
  'target_defaults': {
    'cflags': ['-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
    'cflags_cc': ['-std=c++20'],
    'conditions': [
      ['sanitize==1', {
        'cflags': ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-g', '-O1'],
        'ldflags': ['-fsanitize=address,undefined'],
      }],
    ],
  },
  'targets': [
    {
      'target_name': 'devsock-holder',
      'type': 'executable',
      'sources': ['<!@(node -p "fs.readdirSync(\'holder\').filter((name) => name.endsWith(\'.cc\')).map((name) => \'holder/\' + name).join(\' \')")'],
      'conditions': [
        # Static: it runs from a copy, on whatever libc is there.
        ['sanitize==0', { 'cflags': ['-O2', '-ffunction-sections'], 'ldflags': ['-static', '-s', '-Wl,--gc-sections'] }],
      ],
    },
    {
      'target_name': 'devsock',
      'sources': ['<!@(node -p "fs.readdirSync(\'addon\').filter((name) => name.endsWith(\'.cc\') && !name.endsWith(process.platform === \'linux\' ? \'_darwin.cc\' : \'_linux.cc\')).map((name) => \'addon/\' + name).join(\' \')")'],
      'defines': ['NAPI_VERSION=9'],
      'dependencies': ['<!(node -p "require(\'node-addon-api\').targets"):node_addon_api_except'],
    },
  ],
}
