#include "addon.h"

#include "descriptor.h"
#include "entry.h"
#include "file_events.h"
#include "process.h"
#include "seqpacket.h"
#include "sockets.h"
#include "watch.h"

namespace devsock {

namespace {

template <auto function>
void add(Napi::Object exports, const char* name) {
  const napi_property_descriptor property = {
      .utf8name = name, .name = nullptr, .method = call_function<function>, .getter = nullptr, .setter = nullptr,
      .value = nullptr, .attributes = napi_default_jsproperty, .data = nullptr};
  exports.DefineProperty(Napi::PropertyDescriptor(property));
}

}  // namespace

Addon::Addon(Napi::Env env, Napi::Object exports)
    : descriptor(Napi::Persistent(Descriptor::define(env))),
      seqpacket(Napi::Persistent(Seqpacket::define(env))),
      watch(Napi::Persistent(Watch::define(env))),
      file_events(Napi::Persistent(FileEvents::define(env))) {
  exports.Set("Descriptor", descriptor.Value());
  exports.Set("Seqpacket", seqpacket.Value());
  exports.Set("Watch", watch.Value());
  exports.Set("FileEvents", file_events.Value());

  add<Seqpacket::connect>(exports, "connectSeqpacket");
  add<Seqpacket::pair>(exports, "seqpacketPair");
  add<Watch::start>(exports, "onReadable");
  add<FileEvents::start>(exports, "fileEvents");
  add<socket_info>(exports, "socketInfo");
  add<queue_depth_of>(exports, "queueDepth");
  add<accept_connection>(exports, "accept");
  add<probe_ip>(exports, "probeIp");
  add<probe_unix>(exports, "probeUnix");
  add<finish_writing>(exports, "finishWriting");
  add<connections>(exports, "connections");
  add<bind_datagram>(exports, "bindDatagram");
  add<send_datagram>(exports, "sendDatagram");
  add<memory_file_of>(exports, "memoryFile");
  add<duplicate_number>(exports, "duplicate");
  add<set_close_on_exec>(exports, "setCloseOnExec");
  add<set_nonblocking>(exports, "setNonblocking");
  add<pidfd_open_of>(exports, "pidfdOpen");
  add<pidfd_signal_to>(exports, "pidfdSignal");
  add<pidfd_exited>(exports, "pidfdExited");
  add<socket_owners_of>(exports, "socketOwners");
  add<tripwire_over>(exports, "tripwire");
  add<punch_hole_in>(exports, "punchHole");
  add<limits>(exports, "limits");
  add<raise_file_limit>(exports, "raiseFileLimit");
}

}  // namespace devsock

using devsock::Addon;
NODE_API_ADDON(Addon)
