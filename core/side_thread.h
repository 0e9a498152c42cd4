// core/side_thread.h - threads beside the shards: the store's, the log's, those of HTTP.
#pragma once

namespace parley::core {

// Called by such a thread when it begins. `name`: at most 15 bytes, as top and strace show it. Where the process has a real-time
// priority the thread has the one below: with the same one it would not make way for a shard that wakes on its core before
// it waits for something itself. Where that is not possible the priority stays. Nobody may spin until such a thread has done
// something: where there is one core it never does.
void begin_side_thread(const char* name);

}  // namespace parley::core
