#pragma once

namespace devsock {

/// Connections that wait in the queue of a listening unix socket; -1 with errno. Linux only: no other call
/// tells (sock_diag(7), UDIAG_SHOW_RQLEN).
int unix_queue_depth(int fd);

}  // namespace devsock
