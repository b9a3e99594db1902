#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "address.h"

/// What differs between systems. platform_linux.cc and sock_diag_linux.cc are what devsock is tested with;
/// platform_darwin.cc does what is portable, has never been run, and answers ENOSYS for the rest.
/// Unless said otherwise: a call that fails leaves errno, and an empty UniqueFd or false.
namespace devsock {

struct PeerCredentials {
  int error = 0;
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Close-on-exec from the first moment.
UniqueFd open_socket(int family, int type);
bool open_socket_pair(int type, UniqueFd& left, UniqueFd& right);
UniqueFd accept_nonblocking(int fd);
PeerCredentials peer_credentials(int fd);

/// Completed connections that no program has accepted yet; -1 with errno.
int queue_depth(int fd);

UniqueFd memory_file(const std::string& name, const uint8_t* data, size_t size);
UniqueFd pidfd_open(pid_t pid);
bool pidfd_signal(int pidfd, int signal);
bool punch_hole(int fd, off_t offset, off_t length);

/// inotify(7): what happens in a folder (`name` is the entry's) or to a file (no name).
struct FileEvent {
  int watch;
  uint32_t mask;
  std::string name;
};

/// Non-blocking and close-on-exec.
UniqueFd file_events_open();
/// The watch; the one that there is already where another path to the same file was added. -1 with errno.
int file_events_add(int fd, const std::string& path);
void file_events_remove(int fd, int watch);
/// Adds what waits, of one read.
void file_events_read(int fd, std::vector<FileEvent>& events);
/// The same for a file that is to be what it is: readable once it is written to, replaced, renamed or deleted.
int tripwire_add(int fd, const std::string& path);

struct ConnectionRow {
  SocketAddress local;
  SocketAddress remote;
  uint32_t inode;
  uint32_t uid;
  uint8_t state;  // of linux/tcp_states.h
  uint32_t receive_queue;
  uint32_t send_queue;
  bool has_info;
  uint32_t last_sent_ms;
  uint32_t segments_sent;  // with data
  uint32_t segments_received;
  uint32_t last_received_ms;
};

constexpr uint32_t kListeningState = 1u << 10;

/// Adds the TCP sockets of this network namespace in one of `states` (a mask of 1 << state), of `local_port`
/// or, with 0, of any. 0 or an errno.
int list_connections(uint32_t states, uint16_t local_port, std::vector<ConnectionRow>& rows);

struct SocketOwner {
  uint32_t inode;
  pid_t pid;
  pid_t group;
};

/// Adds one process for each of `inodes` that somebody is found to have open: the processes of `groups` are looked
/// at first, then the newest. 0 or an errno.
int socket_owners(std::vector<uint32_t> inodes, const std::vector<pid_t>& groups, std::vector<SocketOwner>& owners);

}  // namespace devsock
