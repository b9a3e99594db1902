#pragma once

namespace devsock {

/// Has this process get the processor at once when something happens: what asks for short slices comes before what is
/// in the middle of a long one (Linux 6.12; nothing changes before it). Of every second it gets no more than others do,
/// and needs far less. Its children have the usual slice.
void ask_for_short_slices();

}  // namespace devsock
