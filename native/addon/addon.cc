#include "addon.h"

#include "descriptor.h"
#include "process.h"
#include "seqpacket.h"
#include "sockets.h"
#include "watch.h"

namespace devsock {

Addon::Addon(Napi::Env env, Napi::Object exports)
    : descriptor(Napi::Persistent(Descriptor::define(env))),
      seqpacket(Napi::Persistent(Seqpacket::define(env))),
      watch(Napi::Persistent(Watch::define(env))) {
  exports.Set("Descriptor", descriptor.Value());
  exports.Set("Seqpacket", seqpacket.Value());
  exports.Set("Watch", watch.Value());

  const auto add = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("connectSeqpacket", Seqpacket::connect);
  add("seqpacketPair", Seqpacket::pair);
  add("onReadable", Watch::start);
  add("socketInfo", socket_info);
  add("queueDepth", queue_depth_of);
  add("accept", accept_connection);
  add("probeIp", probe_ip);
  add("probeUnix", probe_unix);
  add("connections", connections);
  add("sendDatagram", send_datagram);
  add("memoryFile", memory_file_of);
  add("duplicate", duplicate_number);
  add("setCloseOnExec", set_close_on_exec);
  add("setNonblocking", set_nonblocking);
  add("pidfdOpen", pidfd_open_of);
  add("pidfdSignal", pidfd_signal_to);
  add("pidfdExited", pidfd_exited);
  add("punchHole", punch_hole_in);
  add("limits", limits);
  add("raiseFileLimit", raise_file_limit);
}

}  // namespace devsock

using devsock::Addon;
NODE_API_ADDON(Addon)
