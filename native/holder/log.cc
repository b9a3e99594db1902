#include "log.h"

#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace devsock {

void log_line(const std::string& text) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  std::array<char, 96> head;
  const size_t length = ::strftime(head.data(), head.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(head.data() + length, head.size() - length, ".%03ldZ holder[%d] ", now.tv_nsec / 1'000'000, ::getpid());
  std::string line = head.data() + text;
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
  line += '\n';
  // One write, so that lines of others in the same file stay whole. A full disk is no reason to stop.
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace devsock
