// sip/fork.h - the response context of a stateful proxy: which responses go upstream, which branches are started and
// cancelled (RFC 3261 sections 16.7 to 16.10, RFC 5393 section 5.3.3, RFC 4320). R3261-11, R3428-2.
//
//   Fork fork({.invite = true, .breadth = incoming_breadth(...)});
//   fork.add_target(1000);                  q = 1.0
//   fork.add_target(500);                   q = 0.5: tried when all of q = 1.0 have failed
//   ForkDecision d = fork.start();          d.start = {0}
//   d = fork.response(0, 180);              d.forward
//   d = fork.response(0, 404);              d.start = {1}
//   d = fork.timeout(1);                    d.final = branch, d.branch = 0: the 404 goes upstream
//
// One per server transaction that is proxied, core-local, a value of fixed size. It holds statuses, no messages: the
// caller keeps the bytes of final responses for as long as kept() names their branch. Branches are numbered in the
// order of add_target().
//
// The caller's part: a branch is one client transaction. With INVITE each start arms Timer C (more than 3 minutes,
// d.restart_timer_c starts it anew), each cancel ends Timer C and arms 64*T1, after which it reports timeout()
// (RFC 3261 section 9.1). A number of a branch that was never added is our own mistake.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "sip/fork_rules.h"
#include "sip/max_breadth.h"

namespace parley::sip {

// 10 branches: an address of record rarely has half as many contacts, and each costs a client transaction. Next
// addresses of one target (RFC 3263) and contacts of a 3xx count.
inline constexpr unsigned fork_branches_max = 10;

class BranchSet {
 public:
  constexpr void add(unsigned branch) { bits_ = static_cast<std::uint16_t>(bits_ | 1U << branch); }
  [[nodiscard]] constexpr bool has(unsigned branch) const { return (bits_ >> branch & 1U) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr unsigned count() const { return static_cast<unsigned>(std::popcount(bits_)); }
  // Takes the lowest one out; the set must not be empty. For loops: while (!set.empty()) f(set.take());
  constexpr unsigned take() {
    const auto branch = static_cast<unsigned>(std::countr_zero(bits_));
    bits_ = static_cast<std::uint16_t>(bits_ & (bits_ - 1U));
    return branch;
  }
  constexpr bool operator==(const BranchSet&) const = default;

 private:
  std::uint16_t bits_ = 0;
  static_assert(fork_branches_max <= 16);
};

enum class FinalResponse : std::uint8_t {
  none,      // not yet, or it went up before
  branch,    // the final response of `branch`, with the challenges of `challenges` added (RFC 3261 section 16.7 item 7)
  generate,  // one of our own: `status`
  silence,   // none ever: RFC 4320 section 4.2
};

// What to do, in this order.
struct ForkDecision {
  bool forward = false;          // the response just given goes upstream as it is
  bool restart_timer_c = false;  // of its branch
  BranchSet cancel{};            // give each a CANCEL now: its client transaction waits for a 1xx (T-24)
  BranchSet start{};             // send the request on each, with Max-Breadth as breadth() says
  FinalResponse final = FinalResponse::none;
  std::uint8_t branch = 0;
  std::uint16_t status = 0;
  BranchSet challenges{};  // other branches whose WWW-Authenticate and Proxy-Authenticate lines go in
};

struct ForkConfig {
  bool invite = false;
  std::uint16_t breadth = breadth_default;  // incoming_breadth(): what the running branches share
  bool may_wait = true;                     // more targets of one q than breadth: the rest waits. False: 440
};

class Fork {
 public:
  explicit Fork(const ForkConfig& config) : config_(config) {}

  // A target, its q in thousandths; equal ones run in parallel, higher ones first. False: fork_branches_max are there,
  // or nothing new may be started any more; the target is left out. After start(), the next event starts it when its
  // turn has come.
  [[nodiscard]] bool add_target(std::uint16_t q_thousandths);
  [[nodiscard]] unsigned branches() const { return count_; }

  [[nodiscard]] ForkDecision start();

  // A response of that branch's client transaction, 100 to 699.
  [[nodiscard]] ForkDecision response(unsigned branch, std::uint16_t status);
  // Timer B or F fired, or 64*T1 have passed since the CANCEL.
  [[nodiscard]] ForkDecision timeout(unsigned branch);
  [[nodiscard]] ForkDecision transport_error(unsigned branch);
  // Timer C, or a shorter time the caller gives a branch to answer before the next group has its turn. Where no CANCEL
  // is asked for, the client transaction has nothing to wait for any more.
  [[nodiscard]] ForkDecision timer_c(unsigned branch);
  // The branch is over and leaves nothing, because targets added before stand in for it: the next address of the same
  // target, the contacts of its 3xx.
  [[nodiscard]] ForkDecision replaced(unsigned branch);
  // CANCEL from upstream, which the caller has answered 200. Nothing happens to requests other than INVITE.
  [[nodiscard]] ForkDecision cancel();

  // Max-Breadth of a branch that was started.
  [[nodiscard]] std::uint16_t breadth(unsigned branch) const { return branches_[branch].breadth; }
  // Branches whose final response may still be needed: what to keep the bytes of.
  [[nodiscard]] BranchSet kept() const;
  // Nobody waits for this branch any more: it is over or cancelled. It is not sent to a next address of its target.
  [[nodiscard]] bool unwanted(unsigned branch) const {
    const fork_rules::BranchState state = branches_[branch].state;
    return state_ != fork_rules::ContextState::seeking ||
           (state != fork_rules::BranchState::trying && state != fork_rules::BranchState::proceeding);
  }
  // Branches with a client transaction that has not ended.
  [[nodiscard]] BranchSet running() const;
  [[nodiscard]] bool answered() const { return state_ == fork_rules::ContextState::answered; }
  // Answered, and no branch runs: the context may go. Later 2xx are then forwarded without one.
  [[nodiscard]] bool over() const { return answered() && running().empty(); }

 private:
  struct Branch {
    fork_rules::BranchState state = fork_rules::BranchState::waiting;
    bool local = false;        // the status was not received
    std::uint16_t status = 0;  // final response, a candidate; 0: none
    std::uint16_t q = 0;
    std::uint16_t breadth = 0;
  };

  void step(unsigned branch, fork_rules::BranchEvent event, std::uint16_t status, ForkDecision& out);
  void step_context(fork_rules::ContextEvent event, ForkDecision& out);
  void end_others(ForkDecision& out);
  void settle(ForkDecision& out);
  void start_waiting(ForkDecision& out);
  void choose(ForkDecision& out);
  [[nodiscard]] int best() const;

  ForkConfig config_;
  fork_rules::ContextState state_ = fork_rules::ContextState::seeking;
  bool begun_ = false;    // start() was called
  bool refused_ = false;  // 440
  bool tried_ = false;    // some branch was started
  bool cancelled_ = false;
  std::uint8_t count_ = 0;
  std::uint16_t q_now_ = 0;  // of the group that runs
  std::array<Branch, fork_branches_max> branches_{};
};

}  // namespace parley::sip
