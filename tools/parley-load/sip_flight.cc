// tools/parley-load/sip_flight.cc - ids, timers, challenges, answers and ends: what all loads do alike.
#include <algorithm>
#include <functional>

#include "tools/parley-load/clock.h"
#include "tools/parley-load/sip_worker.h"

namespace parley::load {
namespace {

constexpr size_t kFlightNotesMax = 5;
constexpr size_t kFailedMax = 100'000;

}  // namespace

void SipWorker::note(const std::string& text) {
  if (notes_.size() < kFlightNotesMax) notes_.push_back(text);
}

Flight& SipWorker::begin_flight(SipMode kind, User& user, SipPair* pair, uint64_t due_ns) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(flights_.size()));
    flights_.push_back(std::make_unique<Flight>());
    flights_.back()->slot = free_.back();
  }
  Flight& flight = *flights_[free_.back()];
  free_.pop_back();
  const uint32_t slot = flight.slot;
  std::unique_ptr<Dialog> dialog = std::move(flight.dialog);  // its strings keep their memory
  std::vector<uint64_t> came = std::move(flight.pager.came);
  flight = Flight{};
  flight.pager.came = std::move(came);
  flight.slot = slot;
  flight.dialog = std::move(dialog);
  flight.live = true;
  flight.kind = kind;
  flight.user = &user;
  flight.pair = pair;
  flight.serial = ++serial_;
  flight.due_ns = due_ns;
  ++live_;
  if (pair != nullptr) ++pair->in_flight;
  return flight;
}

void SipWorker::end_flight(Flight& flight) {
  flight.live = false;
  free_.push_back(flight.slot);
  --live_;
  if (flight.pair == nullptr) {
    flight.user->busy = false;
    return;
  }
  if (flight.kind == SipMode::pager) remember_ended(flight);
  SipPair& pair = *flight.pair;
  --pair.in_flight;
  if (pair.dirty || options_.open_loop()) return;
  pair.dirty = true;
  dirty_.push_back(&pair);
}

SipId SipWorker::id_of(const Flight& flight) const {
  return {.slot = flight.slot, .serial = flight.serial, .attempt = flight.attempts};
}

Flight* SipWorker::find(const SipId& id) {
  if (id.slot >= flights_.size()) return nullptr;
  Flight& flight = *flights_[id.slot];
  return flight.live && flight.serial == id.serial ? &flight : nullptr;
}

void SipWorker::start_request(Flight& flight) {
  ++flight.attempts;
  flight.quiet = false;
  flight.give_up_ns = now_ + static_cast<uint64_t>(options_.timeout_s * 1e9);
  flight.interval_ns = kT1Ns;
  flight.resend_ns = options_.datagrams() ? now_ + kT1Ns : UINT64_MAX;
  write_request(flight);
}

void SipWorker::write_request(Flight& flight) {
  if (flight.user->link->state != Link::State::ready) return;
  ++counts_.requests_sent;
  switch (flight.kind) {
    case SipMode::registration: return write_register(flight);
    case SipMode::message: return write_message(flight);
    case SipMode::pager: return write_pager(flight);
    case SipMode::call: return write_call(flight);
    case SipMode::options: return write_options(flight);
  }
}

RequestText SipWorker::request_text(const SipPair& pair, const std::string& method) const {
  RequestText text;
  text.before_branch = method + " " + pair.receiver->aor + " SIP/2.0\r\nVia: " + pair.sender->link->via;
  text.before_tag = "\r\nMax-Forwards: 70\r\nFrom: <" + pair.sender->aor + ">;tag=f";
  text.before_call_id = "\r\nTo: <" + pair.receiver->aor + ">\r\nCall-ID: ";
  text.method = " " + method + "\r\n";
  return text;
}

void SipWorker::put_request(SipText& out, const RequestText& text, const Flight& flight) const {
  const SipId id = id_of(flight);
  out.put(text.before_branch).branch(run_, id).put(text.before_tag).hex(flight.serial, 10);
  out.put(text.before_call_id).call_id(run_, id).put("\r\nCSeq: ").number(flight.cseq).put(text.method);
  out.put(flight.login_line).put(text.rest);
}

void SipWorker::on_message(Link& link, const SipMessage& message) {
  message.method == SipMethod::response ? on_response(message) : on_request(link, message);
}

void SipWorker::on_response(const SipMessage& message) {
  ++counts_.responses_received;
  SipId id;
  std::string_view branch = branch_of(message);
  if (message.via_count != 1 || message.vias[0].find(',') != std::string_view::npos) {
    ++counts_.bad_messages;  // RFC 3261 section 8.1.3.3
    return note("an answer with more than our Via: " + std::string(message.head.substr(0, 200)));
  }
  if (branch.starts_with(kBranchCookie)) branch.remove_prefix(kBranchCookie.size());
  Flight* const flight = take_sip_id(branch, run_, true, id) ? find(id) : nullptr;
  if (flight == nullptr) {
    ++counts_.stray;
    return;
  }
  if (id.attempt != flight->attempts) {
    const bool again = flight->kind == SipMode::call && id.attempt == flight->invite && message.status >= 200;
    if (again && message.status < 300 && flight->step != Step::inviting) return write_ack(*flight);
    ++counts_.stray;
    return;
  }
  if (message.status < 200) {
    ++counts_.provisional;
    if (flight->step == Step::inviting) {
      flight->quiet = true;
    } else if (options_.datagrams()) {  // RFC 3261 section 17.1.2.2: from now on every T2
      flight->interval_ns = kT2Ns;
      flight->resend_ns = now_ + kT2Ns;
    }
    return;
  }
  switch (flight->kind) {
    case SipMode::registration:
    case SipMode::options: return on_simple_answer(*flight, message);
    case SipMode::message: return on_message_answer(*flight, message);
    case SipMode::pager: return on_pager_answer(*flight, message);
    case SipMode::call: return on_call_answer(*flight, message);
  }
}

void SipWorker::on_request(Link& link, const SipMessage& message) {
  ++counts_.requests_received;
  if (options_.mode == SipMode::pager) return on_pager_request(link, message);
  SipId id;
  if (!take_sip_id(message.call_id, run_, false, id)) {
    ++counts_.stray;
    if (message.method != SipMethod::ack) answer(link, message, {}, {});
    return;
  }
  Flight* const flight = find(id);
  if (flight == nullptr || flight->pair == nullptr) return on_stale_request(link, message, id);
  if (message.method == SipMethod::message && flight->kind == SipMode::message)
    return on_message_request(link, *flight, message);
  if (flight->kind == SipMode::call) return on_call_request(link, *flight, message);
  ++counts_.stray;
}

// Of a message or call that is over: over UDP the answer may have been lost, so that this is a repetition.
void SipWorker::on_stale_request(Link& link, const SipMessage& message, const SipId& id) {
  if (message.method != SipMethod::ack) answer(link, message, {}, {});
  if (failed_.contains(id.serial)) {
    ++counts_.stray;
  } else if (link.datagrams) {
    ++counts_.repeated;
  } else {
    ++counts_.duplicated;
    note("came again after its end: " + std::string(message.head.substr(0, 200)));
  }
}

bool SipWorker::first_time(const Flight& flight, const Link& link, const SipMessage& request, bool had,
                           uint64_t& seen_via) {
  const uint64_t via = std::hash<std::string_view>{}(request.vias[0]);
  if (!had) {
    seen_via = via;
    return true;
  }
  if (link.datagrams && via == seen_via) {
    ++counts_.repeated;
  } else {
    ++counts_.duplicated;
    note("pair " + std::to_string(flight.pair->index) +
         ": delivered twice: " + std::string(request.head.substr(0, 200)));
  }
  return false;
}

bool SipWorker::take_challenge(Flight& flight, const SipMessage& answer) {
  if ((answer.status != 401 && answer.status != 407) || flight.logins == kLoginsMax) return false;
  const auto chosen = choose_challenge(
      {answer.challenges.begin(), answer.challenges.begin() + static_cast<ptrdiff_t>(answer.challenge_count)});
  if (!chosen) return false;
  Login& login = flight.kind == SipMode::registration ? flight.user->registrar : flight.user->proxy;
  if (!login.known || login.challenge.realm != chosen->realm || login.challenge.algorithm != chosen->algorithm)
    login.ha1 = ha1_of(*chosen, flight.user->account);
  login.challenge = *chosen;
  login.known = true;
  login.header = answer.status == 401 ? "Authorization: " : "Proxy-Authorization: ";
  login.count = 0;
  ++flight.logins;
  ++flight.cseq;
  ++counts_.challenged;
  return true;
}

void SipWorker::authorize(Flight& flight, std::string_view method, const std::string& uri) {
  flight.login_line.clear();
  Login& login = flight.kind == SipMode::registration ? flight.user->registrar : flight.user->proxy;
  if (!login.known || (options_.challenge_each && flight.logins == 0)) return;
  std::array<char, 16> cnonce{};
  SipText(cnonce.data()).hex(flight.serial * 0x9e3779b97f4a7c15U, 16);
  flight.login_line = login.header;
  flight.login_line += authorization(login.challenge, flight.user->account.name, login.ha1, method, uri,
                                     {cnonce.data(), 16}, ++login.count);
  flight.login_line += "\r\n";
}

void SipWorker::refused(Flight& flight, unsigned status) {
  ++statuses_[status];
  const std::string what = (flight.kind == SipMode::registration ? "registration" : "request") + std::string(" of ") +
                           flight.user->account.name + " was answered " + std::to_string(status);
  if (flight.setup) fail_setup(what);
  ++counts_.refused;
  note(what);
  if (failed_.size() < kFailedMax) failed_.insert(flight.serial);
  end_flight(flight);
}

void SipWorker::finished(Flight& flight) {
  if (flight.setup) {
    user_ready();
  } else if (!flight.spoiled) {
    ++counts_.finished;
    if (measuring_ && flight.pair != nullptr) ++flight.pair->measured;
  }
  end_flight(flight);
}

void SipWorker::give_up(Flight& flight) {
  if (flight.setup) fail_setup("registration of " + flight.user->account.name + " was not answered");
  ++(flight.delivered ? counts_.unanswered : counts_.lost);
  counts_.missing += flight.pager.missing;
  note(flight.user->account.name + ": given up, " +
       (!flight.delivered ? "nothing arrived"
        : flight.answered ? "answered but not ended"
                          : "arrived but not answered"));
  if (failed_.size() < kFailedMax) failed_.insert(flight.serial);
  end_flight(flight);
}

void SipWorker::corrupt(Flight& flight, const std::string& what) {
  ++counts_.corrupted;
  flight.spoiled = true;
  note("pair " + std::to_string(flight.pair->index) + ": " + what);
}

void SipWorker::answer(Link& link, const SipMessage& request, std::string_view more, std::string_view body) {
  SipText out(out_.open(link));
  put_answer(out, request, "200 OK", "t" + run_, more, body);
  out_.close(out.size(), {});
}

}  // namespace parley::load
