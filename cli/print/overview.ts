/** `devsock --help`. */
export const OVERVIEW = `devsock holds a project's ports, starts a server when its first connection comes,
and swaps it on save without refusing a request.

  devsock up [service...]     hold the ports, run the project (-d: in the background)
  devsock down                end its services, release the ports
  devsock status              what runs, and why                                  (ps)
  devsock start | stop | restart | sleep [service...]
  devsock wait [service...]   until they are ready with what was saved before the call
  devsock logs [service...]   what they print (-f: and go on)
  devsock open [service]      in the browser
  devsock url <service>       print it
  devsock exec -- <command>   with the services' variables
  devsock env [service]       print those
  devsock ports [port...]     who listens on this machine
  devsock free <port...>      end whoever listens there
  devsock init                write a configuration from what the project is
  devsock check               validate the configuration
  devsock doctor              what is wrong here, and what to do
  devsock daemon status | stop | restart | logs

  -C <dir>  -c <file>  -a, --all  --json  --no-input  --no-color  --version
  devsock <command> --help    options and examples

Start with devsock.config.ts:

  import { defineConfig } from 'devsock'
  export default defineConfig({ services: { web: 'npm run dev' } })
`
