// sip/fork.cc - see fork.h; the rules stand in fork_rules.h.
#include "sip/fork.h"

#include "core/check.h"

namespace parley::sip {

using fork_rules::BranchEvent;
using fork_rules::BranchState;
using fork_rules::ContextEvent;
using fork_rules::ContextState;

namespace {

bool runs(BranchState state) { return state != BranchState::waiting && state != BranchState::done; }

bool challenge(std::uint16_t status) { return status == 401 || status == 407; }

}  // namespace

bool Fork::add_target(std::uint16_t q_thousandths) {
  if (count_ == fork_branches_max || state_ != ContextState::seeking) return false;
  branches_[count_++] = {.q = q_thousandths};
  return true;
}

ForkDecision Fork::start() {
  CHECK(!begun_);
  begun_ = true;
  ForkDecision out;
  settle(out);
  return out;
}

ForkDecision Fork::response(unsigned branch, std::uint16_t status) {
  ForkDecision out;
  if (status < 200) {
    const bool forwardable = config_.invite && status > 100;  // 4320 4.1
    step(branch, forwardable ? BranchEvent::provisional : BranchEvent::trying_100, status, out);
  } else if (status < 300) {
    step(branch, BranchEvent::success, status, out);
  } else if (status == 408 && !config_.invite) {
    step(branch, BranchEvent::timeout, status, out);  // 4320 4.2, T-34: such a 408 must not go on
  } else {
    step(branch, BranchEvent::failure, status, out);
  }
  settle(out);
  return out;
}

ForkDecision Fork::timeout(unsigned branch) {
  ForkDecision out;
  step(branch, BranchEvent::timeout, 0, out);
  settle(out);
  return out;
}

ForkDecision Fork::transport_error(unsigned branch) {
  ForkDecision out;
  step(branch, BranchEvent::transport_error, 503, out);
  settle(out);
  return out;
}

ForkDecision Fork::timer_c(unsigned branch) {
  ForkDecision out;
  // Only an INVITE is cancelled (9.1); any other request has Timer F for this.
  if (config_.invite) step(branch, BranchEvent::timer_c, 0, out);
  settle(out);
  return out;
}

ForkDecision Fork::replaced(unsigned branch) {
  ForkDecision out;
  step(branch, BranchEvent::replaced, 0, out);
  settle(out);
  return out;
}

ForkDecision Fork::cancel() {
  ForkDecision out;
  if (!config_.invite) return out;  // 9.1, 9.2
  cancelled_ = true;
  step_context(ContextEvent::cancel, out);
  settle(out);
  return out;
}

void Fork::step(unsigned branch, BranchEvent event, std::uint16_t status, ForkDecision& out) {
  CHECK(branch < count_);
  Branch& at = branches_[branch];
  const fork_rules::BranchRow& row = fork_rules::branch_row(at.state, event);
  CHECK(row.kind != fork_rules::RowKind::never);
  at.state = row.next;
  if ((row.actions & fork_rules::send_request) != 0) out.start.add(branch);
  if ((row.actions & fork_rules::send_cancel) != 0) out.cancel.add(branch);
  if ((row.actions & fork_rules::restart_timer_c) != 0) out.restart_timer_c = true;
  if ((row.actions & fork_rules::keep_503) != 0) at.local = true;
  if ((row.actions & fork_rules::offer_1xx) != 0) step_context(ContextEvent::provisional, out);
  if ((row.actions & fork_rules::offer_2xx) != 0) {
    step_context(config_.invite ? ContextEvent::invite_success : ContextEvent::other_success, out);
  }
  if ((row.actions & (fork_rules::keep | fork_rules::keep_503)) == 0) return;
  at.status = status;
  if (status >= 600) step_context(ContextEvent::global_failure, out);
}

void Fork::step_context(ContextEvent event, ForkDecision& out) {
  const fork_rules::ContextRow& row = fork_rules::context_row(state_, event);
  state_ = row.next;
  if ((row.actions & fork_rules::forward) != 0) out.forward = true;
  if ((row.actions & fork_rules::end_others) != 0) end_others(out);
  if ((row.actions & fork_rules::choose) != 0) choose(out);
}

void Fork::end_others(ForkDecision& out) {
  for (unsigned n = 0; n < count_; ++n) {
    const bool waits = branches_[n].state == BranchState::waiting;
    if (waits || config_.invite) step(n, BranchEvent::cancel, 0, out);
  }
}

// After every event: what its outcome makes room for.
void Fork::settle(ForkDecision& out) {
  if (!begun_) return;
  if (state_ == ContextState::seeking) start_waiting(out);
  if (!running().empty()) return;
  if (state_ == ContextState::seeking) end_others(out);  // refused: what waits will not run
  step_context(ContextEvent::exhausted, out);
}

// The group that runs and, when none does, the one with the next lower q. No more at a time than there is breadth for:
// what a branch had is free again when it has ended (5393 5.3.3.1).
void Fork::start_waiting(ForkDecision& out) {
  unsigned used = 0;
  bool some_run = false;
  std::uint16_t q_highest = 0;
  for (unsigned n = 0; n < count_; ++n) {
    const Branch& at = branches_[n];
    if (runs(at.state)) some_run = true;
    if (runs(at.state)) used += at.breadth;
    if (at.state == BranchState::waiting && at.q > q_highest) q_highest = at.q;
  }
  if (!some_run) q_now_ = q_highest;
  BranchSet turn;
  for (unsigned n = 0; n < count_; ++n) {
    if (branches_[n].state == BranchState::waiting && branches_[n].q >= q_now_) turn.add(n);
  }
  CHECK(used <= config_.breadth);
  const unsigned free = config_.breadth - used;
  const unsigned wanted = turn.count();
  refused_ = !some_run && wanted != 0 && (free == 0 || (wanted > free && !config_.may_wait));  // 5393 5.3.3
  if (refused_) return;
  const unsigned starting = wanted < free ? wanted : free;
  for (unsigned n = 0; n < starting; ++n) {
    const unsigned branch = turn.take();
    branches_[branch].breadth = breadth_share(free, starting, n);
    tried_ = true;
    step(branch, BranchEvent::start, 0, out);
  }
}

// The branch with the best response of those kept, the one of the highest q among equals; -1 when none was kept.
int Fork::best() const {
  int best = -1;
  unsigned rank = 0;
  std::uint16_t q = 0;
  for (unsigned n = 0; n < count_; ++n) {
    if (branches_[n].status == 0) continue;
    const unsigned other = fork_rules::preference(branches_[n].status);
    if (best >= 0 && (other > rank || (other == rank && branches_[n].q <= q))) continue;
    best = static_cast<int>(n);
    rank = other;
    q = branches_[n].q;
  }
  return best;
}

void Fork::choose(ForkDecision& out) {
  const int chosen = best();
  if (chosen < 0) {
    out.final = FinalResponse::generate;
    if (refused_) {
      out.status = 440;  // 5393 5.3.3
    } else if (!tried_) {
      out.status = cancelled_ ? 487 : 480;  // 9.2; 16.5: an empty target set
    } else if (config_.invite) {
      out.status = 408;  // 16.7 6: no final response in the context
    } else {
      out.final = FinalResponse::silence;  // 4320 4.2
    }
    return;
  }
  const Branch& best_branch = branches_[static_cast<unsigned>(chosen)];
  if (best_branch.status == 503) {
    out.final = FinalResponse::generate;
    out.status = 500;  // 16.7 6: 503 would mean that no request at all can be served here
    return;
  }
  CHECK(!best_branch.local);
  out.final = FinalResponse::branch;
  out.branch = static_cast<std::uint8_t>(chosen);
  out.status = best_branch.status;
  if (!challenge(out.status)) return;
  for (unsigned n = 0; n < count_; ++n) {
    if (static_cast<int>(n) != chosen && challenge(branches_[n].status)) out.challenges.add(n);  // 16.7 7
  }
}

BranchSet Fork::kept() const {
  BranchSet set;
  const int chosen = answered() ? -1 : best();
  if (chosen < 0) return set;
  const std::uint16_t status = branches_[static_cast<unsigned>(chosen)].status;
  if (status == 503) return set;  // never forwarded, and a better one has bytes of its own
  set.add(static_cast<unsigned>(chosen));
  if (!challenge(status)) return set;
  for (unsigned n = 0; n < count_; ++n) {
    if (challenge(branches_[n].status)) set.add(n);
  }
  return set;
}

BranchSet Fork::running() const {
  BranchSet set;
  for (unsigned n = 0; n < count_; ++n) {
    if (runs(branches_[n].state)) set.add(n);
  }
  return set;
}

}  // namespace parley::sip
