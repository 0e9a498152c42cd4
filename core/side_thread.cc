// core/side_thread.cc - see side_thread.h.
#include "core/side_thread.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace parley::core {

void begin_side_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  // That of the process, since the thread that made this one may be such a thread itself.
  const int policy = sched_getscheduler(getpid());
  sched_param priority{};
  if ((policy != SCHED_FIFO && policy != SCHED_RR) || sched_getparam(getpid(), &priority) != 0) return;
  if (priority.sched_priority <= sched_get_priority_min(policy)) return;
  --priority.sched_priority;
  pthread_setschedparam(pthread_self(), policy, &priority);
}

}  // namespace parley::core
