// tests/sim/sip/schedule.cc - see schedule.h.
#include "tests/sim/sip/schedule.h"

#include <algorithm>
#include <cstdlib>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {

// Only what tells messages apart; the user agents read the rest.
bool Schedule::look(std::string_view bytes, Head& head) {
  const std::size_t via = bytes.find("\r\nVia: ");
  const std::size_t cseq = bytes.find("\r\nCSeq: ");
  if (via == std::string_view::npos || cseq == std::string_view::npos) return false;
  const std::size_t branch = bytes.find(";branch=", via);
  if (branch == std::string_view::npos || branch > bytes.find("\r\n", via + 2)) return false;
  const std::string_view rest = bytes.substr(branch + 8);
  head.branch = std::string(rest.substr(0, rest.find_first_of(";,\r")));
  const std::string_view line = bytes.substr(cseq + 8, bytes.find("\r\n", cseq + 2) - cseq - 8);
  head.method = std::string(line.substr(line.find(' ') + 1));
  head.request = !bytes.starts_with("SIP/2.0 ");
  if (!head.request) head.status = std::atoi(std::string(bytes.substr(8, 3)).c_str());
  head.of_agent = bytes.find("\r\nX-Agent: ") != std::string_view::npos;
  return true;
}

Duration Schedule::slack() const { return 5ms + world_.faults.stall_max * world_.faults.stalls; }

// Longer ago than a Worker may need to see it.
bool Schedule::past(Instant when) const { return when < world_.agenda.now() && world_.agenda.now() - when > slack(); }

void Schedule::out(const core::Address&, std::string_view bytes) {
  Head head;
  if (!look(bytes, head)) return;
  if (!head.request && head.method == "INVITE" && head.status / 100 == 2) book_.accepted.insert(head.branch);
  if (rests_) return;
  if (head.request && head.method != "ACK") sends_request(head, bytes);
  if (!head.request && head.method == "INVITE" && head.status >= 300) sends_final(head, bytes);
}

void Schedule::in(const core::Address&, std::string_view bytes) {
  Head head;
  if (rests_ || !look(bytes, head)) return;
  const Instant now = world_.agenda.now();
  if (!head.request) {
    const auto found = requests_.find(head.branch + " " + head.method);
    if (found == requests_.end()) return;
    found->second.heard = std::min(found->second.heard, now);
    if (head.status >= 200) found->second.final_heard = std::min(found->second.final_heard, now);
    return;
  }
  if (head.method == "INVITE") ++invites_[head.branch];
  const auto found = finals_.find(head.branch);
  if (found == finals_.end()) return;
  if (head.method == "ACK") found->second.acked = std::min(found->second.acked, now);
}

void Schedule::sends_request(const Head& head, std::string_view bytes) {
  const Instant now = world_.agenda.now();
  const auto [at, fresh] = requests_.emplace(head.branch + " " + head.method, Request{});
  Request& r = at->second;
  const bool invite = head.method == "INVITE";
  if (fresh) {
    r.bytes = std::string(bytes);
    r.method = head.method;
    r.first = now;
    r.next = t1;
  } else {
    const char* const what = head.method.c_str();
    if (r.bytes != bytes) return world_.journal.fail("schedule: the server sends %s again and otherwise", what);
    const double gap = static_cast<double>((now - r.last).count()) / 1e9;
    if (now - r.last < r.next - slack()) return world_.journal.fail("schedule: %s again after only %.3f s", what, gap);
    if (now - r.last > r.next + slack())
      return world_.journal.fail("schedule: %s again after as much as %.3f s", what, gap);
    if (now - r.first > t1_64 + slack()) return world_.journal.fail("schedule: %s again after 64*T1", what);
    if (past(r.final_heard)) return world_.journal.fail("schedule: %s again behind its final response", what);
    if (invite && past(r.heard)) return world_.journal.fail("schedule: INVITE again behind a response");
    r.next *= 2;
    if (!invite) r.next = r.heard <= now ? t2 : std::min<Duration>(r.next, t2);
  }
  r.last = now;
}

void Schedule::sends_final(const Head& head, std::string_view bytes) {
  const Instant now = world_.agenda.now();
  const auto [at, fresh] = finals_.emplace(head.branch, Final{});
  Final& f = at->second;
  if (fresh) {
    f.bytes = std::string(bytes);
    f.of_agent = head.of_agent;
    f.first = f.last = now;
    f.next = t1;
    return;
  }
  if (f.bytes != bytes) {
    // Without a transaction a copy may be judged anew: a challenge with another nonce.
    if (!f.of_agent && !head.of_agent) return;
    if (!book_.pressure)
      world_.journal.fail("schedule: two final responses to an INVITE: %.40s", std::string(bytes).c_str());
    return;
  }
  if (rough()) {
    if (now - f.first > t1_64 + slack()) world_.journal.fail("schedule: a final response again after 64*T1");
    return;
  }
  const bool due = now - f.last >= f.next - slack() && now - f.last <= f.next + slack();
  if (due && !past(f.acked)) {
    f.last = now;
    f.next = std::min<Duration>(f.next * 2, t2);
    if (now - f.first > t1_64 + slack()) world_.journal.fail("schedule: a final response again after 64*T1");
    return;
  }
  if (f.repeated < invites_[head.branch]) {  // for one that came again
    ++f.repeated;
    return;
  }
  world_.journal.fail("schedule: a final response (%s) again %.3f s after the last time, due after %.3f s",
                      head.branch.c_str(), static_cast<double>((now - f.last).count()) / 1e9,
                      static_cast<double>(f.next.count()) / 1e9);
}

void Schedule::check(const Request& r, Duration timer_c) {
  const Instant due = r.last + r.next;
  const Instant heard = r.method == "INVITE" ? r.heard : r.final_heard;
  if (heard <= due + slack() || due + slack() > world_.agenda.now() || due >= r.first + t1_64 - slack()) return;
  if (r.method == "INVITE" && due >= r.first + timer_c - slack()) return;
  world_.journal.fail("schedule: %s was not sent again at its time, %.3f s after it was sent first: %.60s",
                      r.method.c_str(), static_cast<double>((due - r.first).count()) / 1e9, r.bytes.c_str());
}

void Schedule::check(const Final& f) {
  const Instant due = f.last + f.next;
  if (rough() || !f.of_agent || f.acked <= due + slack() || due + slack() > world_.agenda.now()) return;
  if (due >= f.first + t1_64 - slack()) return;
  world_.journal.fail(
      "schedule: a final response was not sent again at its time, %.3f s after it was sent first: %.60s",
      static_cast<double>((due - f.first).count()) / 1e9, f.bytes.c_str());
}

void Schedule::forget(Duration timer_c) {
  settle(timer_c);
  requests_.clear();
  finals_.clear();
  invites_.clear();
}

void Schedule::settle(Duration timer_c) {
  for (const auto& [key, r] : requests_) {
    // A NOTIFY is given up with its subscription.
    if (r.method != "NOTIFY") check(r, timer_c);
  }
  for (const auto& [branch, f] : finals_) check(f);
}

}  // namespace parley::sim::sip
