#pragma once

#include <string>

namespace devsock {

/// One line on stderr, which is the log file once the holder has started: time, who, text. A control character in
/// `text` is written as `?`.
void log_line(const std::string& text);

}  // namespace devsock
