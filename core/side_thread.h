// core/side_thread.h - threads beside the shards: the store's, the log's, those of HTTP.
#pragma once

namespace parley::core {

// Called by such a thread when it begins. `name`: at most 15 bytes, as top and strace show it. Where the process was given a
// real-time priority it keeps the one below: with the same one it would not make way for a shard that wakes on its core
// before it waits for something itself. Where that is not possible the priority stays.
void begin_side_thread(const char* name);

}  // namespace parley::core
