// tools/parleyd/process.h - what parleyd asks of the operating system for itself.
#pragma once

#include <string>
#include <vector>

#include "tools/parleyd/settings.h"

namespace parley::parleyd {

// SIGTERM, SIGINT and SIGHUP are blocked in every thread from here on; returns the descriptor that tells them. SIGPIPE
// is ignored. Call before the first thread starts. -1: not possible.
int take_signals();

// The soft limit of descriptors becomes the hard one; returns it.
std::uint64_t raise_descriptor_limit();

// Keeps messages out of core dumps and away from debuggers. A sanitizer needs what this takes away: nothing is done
// then.
void forbid_dumps();

// CPUs this process may use, in order.
std::vector<int> usable_cpus();
void pin_this_thread(int cpu);
void name_this_thread(const std::string& name);  // cut to 15 characters

}  // namespace parley::parleyd
