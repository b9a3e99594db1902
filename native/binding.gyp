{
  # A sanitizer build (native/build.mjs --sanitize) sets this to 1.
  'variables': { 'sanitize%': 0 },
  'target_defaults': {
    # -Wrestrict is wrong about "literal" + std::string in GCC 12 (bug 105651); clang does not know it.
    'cflags': ['-Wall', '-Wextra', '-Werror', '-Wno-unknown-warning-option', '-Wno-restrict', '-fvisibility=hidden'],
    # Node's own headers ask for the standard that their Node was built with, and would have the last word.
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++20'],
    'conditions': [
      ['sanitize==1', {
        # Node's own flags come last. Of what debuggers want, reports need the lines alone.
        'cflags!': ['-O3'],
        'cflags': ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-g1', '-Og'],
        'ldflags': ['-fsanitize=address,undefined'],
      }],
    ],
  },
  'targets': [
    {
      'target_name': 'devsock-holder',
      'type': 'executable',
      'sources': ['units/holder-0.cc', 'units/holder-1.cc'],
      'conditions': [
        # epoll, pidfds, AF_UNIX SOCK_SEQPACKET.
        ['OS!="linux"', { 'type': 'none' }],
        # Static: it runs from a copy, on whatever libc is there.
        ['sanitize==0', { 'cflags': ['-O2', '-ffunction-sections'], 'ldflags': ['-static', '-s', '-Wl,--gc-sections'] }],
      ],
    },
    {
      # In every process below a generation, whatever it is: so it needs no library, is never sanitized (the program
      # may be), and calls libc by names without a version (native/adopt/adopt.h).
      'target_name': 'devsock-adopt',
      'type': 'shared_library',
      'product_prefix': '',
      'sources': ['<!@(node -p "fs.readdirSync(\'adopt\').filter((name) => name.endsWith(\'.c\')).map((name) => \'adopt/\' + name).join(\' \')")'],
      'cflags!': ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-g1', '-Og', '-Wno-restrict'],
      'ldflags!': ['-fsanitize=address,undefined', '-rdynamic'],
      'cflags': ['-std=gnu11', '-O2', '-fPIC', '-ffunction-sections', '-fno-stack-protector', '-U_FORTIFY_SOURCE'],
      'ldflags': ['-nostdlib', '-s', '-Wl,-z,now', '-Wl,-z,relro', '-Wl,--gc-sections'],
    },
    {
      'target_name': 'devsock',
      'sources': ['units/addon-0.cc', 'units/addon-1.cc'],
      # An environment that is being ended takes no exception any more; without the second one that would abort.
      'defines': ['NAPI_VERSION=9', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'dependencies': ['<!(node -p "require(\'node-addon-api\').targets"):node_addon_api_except'],
    },
  ],
}
