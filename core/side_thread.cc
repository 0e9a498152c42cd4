// core/side_thread.cc - see side_thread.h.
#include "core/side_thread.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace parley::core {

void begin_side_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  int policy = SCHED_OTHER;
  sched_param priority{};
  if (pthread_getschedparam(pthread_self(), &policy, &priority) != 0 || (policy != SCHED_FIFO && policy != SCHED_RR)) return;
  // That of the process, since the thread that made this one may be such a thread itself.
  if (sched_getscheduler(getpid()) != policy || sched_getparam(getpid(), &priority) != 0) return;
  if (priority.sched_priority <= sched_get_priority_min(policy)) return;
  --priority.sched_priority;
  pthread_setschedparam(pthread_self(), policy, &priority);
}

}  // namespace parley::core
