// tools/parley-load/deferred_talk.cc - see deferred_worker.h. A body begins with what it is: "d RECEIVER SENDER NUMBER." of a
// message to somebody who is away, "o SLOT SERIAL." of the two who talk; the rest is a pattern.
#include <array>
#include <charconv>
#include <functional>

#include "tools/parley-load/clock.h"
#include "tools/parley-load/deferred_worker.h"

namespace parley::load {
namespace {

constexpr size_t kLoadNotesMax = 5;

// Numbers of "d 1 2 3." behind its letter; false when it is no such text.
template <size_t n>
bool take_numbers(std::string_view& text, std::array<uint64_t, n>& numbers) {
  for (uint64_t& number : numbers) {
    if (!text.starts_with(' ')) return false;
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

void DeferredWorker::note(const std::string& text) {
  if (found_.notes.size() < kLoadNotesMax) found_.notes.push_back(text);
}

// --- what we ask

Ask& DeferredWorker::begin(Kind kind, User& user, uint64_t due_ns) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(asks_.size()));
    asks_.push_back(std::make_unique<Ask>());
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  Ask& ask = *asks_[slot];
  ask = Ask{};
  ask.slot = slot;
  ask.live = true;
  ask.kind = kind;
  ask.user = &user;
  ask.serial = ++serial_;
  ask.due_ns = due_ns;
  ++live_[static_cast<size_t>(kind)];
  return ask;
}

void DeferredWorker::end(Ask& ask) {
  ask.live = false;
  --live_[static_cast<size_t>(ask.kind)];
  free_.push_back(ask.slot);
}

void DeferredWorker::begin_registration(User& user) {
  Ask& ask = begin(Kind::registration, user, now_ns());
  ask.cseq = user.cseq + 1;
  authorize(ask);
  start(ask);
}

void DeferredWorker::begin_store(uint32_t receiver, uint32_t number) {
  const uint32_t sender = (receiver + number) % options_.senders;
  Ask& ask = begin(Kind::store, users_[options_.receivers + sender], now_ns());
  ask.receiver = receiver;
  ask.number = number;
  authorize(ask);
  start(ask);
}

void DeferredWorker::begin_talk(uint64_t due_ns) {
  Ask& ask = begin(Kind::talk, users_[users_.size() - 2], due_ns);
  authorize(ask);
  start(ask);
}

User& DeferredWorker::target_of(const Ask& ask) {
  return ask.kind == Kind::talk ? users_.back() : users_[ask.receiver];
}

void DeferredWorker::start(Ask& ask) {
  ++ask.attempts;
  now_ = now_ns();
  ask.give_up_ns = now_ + seconds(options_.timeout_s);
  ask.interval_ns = kT1Ns;
  ask.resend_ns = now_ + kT1Ns;
  write(ask);
}

void DeferredWorker::put_body(const Ask& ask) {
  if (ask.kind == Kind::talk) {
    body_ = "o " + std::to_string(ask.slot) + " " + std::to_string(ask.serial) + ".";
  } else {
    const size_t sender = ask.user->index - options_.receivers;
    body_ = "d " + std::to_string(ask.receiver) + " " + std::to_string(sender) + " " + std::to_string(ask.number) + ".";
  }
  body_ += pattern_.piece(message_seed(0, body_.size()), 0, options_.size_bytes - std::min<size_t>(body_.size(), options_.size_bytes));
}

void DeferredWorker::write(Ask& ask) {
  User& user = *ask.user;
  const SipId id{.slot = ask.slot, .serial = ask.serial, .attempt = ask.attempts};
  SipText out(out_.open(*user.link));
  if (ask.kind == Kind::registration) {
    user.cseq = ask.cseq;
    out.put("REGISTER ").put(registrar_uri_).put(" SIP/2.0\r\nVia: ").put(user.link->via).branch(run_, id);
    out.put("\r\nMax-Forwards: 70\r\nFrom: <").put(user.aor).put(">;tag=f").hex(ask.serial, 10);
    out.put("\r\nTo: <").put(user.aor).put(">\r\nCall-ID: ").put(user.call_id).put("\r\nCSeq: ").number(ask.cseq);
    out.put(" REGISTER\r\nContact: <").put(user.contact_uri).put(">;+g.oma.sip-im\r\nExpires: 3600\r\n");
    out.put(ask.login_line).put("Content-Length: 0\r\n\r\n");
    out_.close(out.size(), {});
    return;
  }
  const User& target = target_of(ask);
  put_body(ask);
  out.put("MESSAGE ").put(target.aor).put(" SIP/2.0\r\nVia: ").put(user.link->via).branch(run_, id);
  out.put("\r\nMax-Forwards: 70\r\nFrom: <").put(user.aor).put(">;tag=f").hex(ask.serial, 10);
  out.put("\r\nTo: <").put(target.aor).put(">\r\nCall-ID: ").call_id(run_, id).put("\r\nCSeq: ").number(ask.cseq);
  out.put(" MESSAGE\r\nAccept-Contact: *;+g.oma.sip-im\r\n").put(ask.login_line);
  out.put("Content-Type: text/plain\r\nContent-Length: ").number(body_.size()).put("\r\n\r\n").put(body_);
  out_.close(out.size(), {});
}

void DeferredWorker::authorize(Ask& ask) {
  ask.login_line.clear();
  Login& login = ask.kind == Kind::registration ? ask.user->registrar : ask.user->proxy;
  if (!login.known) return;
  std::array<char, 16> cnonce{};
  SipText(cnonce.data()).hex(ask.serial * 0x9e3779b97f4a7c15U, 16);
  ask.login_line = login.header;
  ask.login_line += authorization(login.challenge, ask.user->account.name, login.ha1,
                                  ask.kind == Kind::registration ? "REGISTER" : "MESSAGE",
                                  ask.kind == Kind::registration ? registrar_uri_ : target_of(ask).aor, {cnonce.data(), 16},
                                  ++login.count);
  ask.login_line += "\r\n";
}

bool DeferredWorker::take_challenge(Ask& ask, const SipMessage& answer) {
  if ((answer.status != 401 && answer.status != 407) || ask.logins == kLoginsMax) return false;
  const auto chosen = choose_challenge(
      {answer.challenges.begin(), answer.challenges.begin() + static_cast<ptrdiff_t>(answer.challenge_count)});
  if (!chosen) return false;
  Login& login = ask.kind == Kind::registration ? ask.user->registrar : ask.user->proxy;
  if (!login.known || login.challenge.realm != chosen->realm || login.challenge.algorithm != chosen->algorithm)
    login.ha1 = ha1_of(*chosen, ask.user->account);
  login.challenge = *chosen;
  login.known = true;
  login.header = answer.status == 401 ? "Authorization: " : "Proxy-Authorization: ";
  login.count = 0;
  ++ask.logins;
  ++ask.cseq;
  return true;
}

// --- what comes

void DeferredWorker::read(Link& link) {
  constexpr int bursts_max = 4;  // then the others have their turn
  for (int burst = 0; burst < bursts_max; ++burst) {
    const size_t count = in_.receive(link.socket);
    for (size_t i = 0; i < count; ++i) {
      SipMessage message;
      const char* why = "";
      if (in_.truncated(i) || parse_sip(in_.datagram(i), true, message, &why) != SipResult::done) {
        ++found_.bad_messages;
        note(std::string("a message that can not be read: ") + why);
        continue;
      }
      ++received_;
      now_ = now_ns();
      message.method == SipMethod::response ? on_response(message) : on_request(link, message);
    }
    if (count < SipInput::kBurst) return;
  }
}

void DeferredWorker::on_response(const SipMessage& message) {
  SipId id;
  std::string_view branch = branch_of(message);
  if (branch.starts_with(kBranchCookie)) branch.remove_prefix(kBranchCookie.size());
  const bool ours = take_sip_id(branch, run_, true, id) && id.slot < asks_.size();
  Ask* const ask = ours && asks_[id.slot]->live && asks_[id.slot]->serial == id.serial ? asks_[id.slot].get() : nullptr;
  if (ask == nullptr || id.attempt != ask->attempts || ask->answered) {
    ++found_.stray;
    return;
  }
  if (message.status < 200) {
    ask->interval_ns = kT2Ns;
    ask->resend_ns = now_ + kT2Ns;
    return;
  }
  if (take_challenge(*ask, message)) {
    authorize(*ask);
    return start(*ask);
  }
  if (message.status >= 300) {
    ++found_.refusals[message.status];
    note(ask->user->account.name + " was answered " + std::to_string(message.status));
    return end(*ask);
  }
  ask->answered = true;
  switch (ask->kind) {
    case Kind::registration: ++found_.registered; return end(*ask);
    case Kind::talk:
      if (ask->delivered) {
        ++found_.talked;
        end(*ask);
      }
      return;
    case Kind::store:
      if (message.status == 202) {
        ++found_.stored;
        kept_[uint64_t{ask->receiver} * options_.messages + ask->number] = true;
        found_.storing.record(now_ - ask->due_ns);
      } else {
        ++found_.at_once;
      }
      return end(*ask);
  }
}

void DeferredWorker::on_request(Link& link, const SipMessage& message) {
  {
    SipText out(out_.open(link));
    put_answer(out, message, "200 OK", "t" + run_, {}, {});
    out_.close(out.size(), {});
  }
  std::string_view text = message.body;
  const char letter = text.empty() ? ' ' : text.front();
  if (!text.empty()) text.remove_prefix(1);
  std::array<uint64_t, 3> stored{};
  std::array<uint64_t, 2> talk{};
  const bool is_stored = letter == 'd' && take_numbers(text, stored);
  const bool is_talk = letter == 'o' && take_numbers(text, talk);
  const size_t begin = message.body.size() - text.size();
  if (message.method != SipMethod::message || (!is_stored && !is_talk)) {
    ++found_.stray;
    return;
  }
  const bool whole = message.body.size() == options_.size_bytes &&
                     pattern_.first_difference(message_seed(0, begin), 0, text) == text.size();
  if (!whole) {
    ++found_.corrupted;
    note("another body than was sent: " + std::string(message.body.substr(0, 60)));
    return;
  }
  if (is_talk) return on_talk(talk[1], static_cast<uint32_t>(talk[0]));
  if (stored[0] >= options_.receivers || stored[1] >= options_.senders || stored[2] >= options_.messages) {
    ++found_.corrupted;
    return;
  }
  on_stored_one(message, static_cast<uint32_t>(stored[0]), static_cast<uint32_t>(stored[1]), static_cast<uint32_t>(stored[2]));
}

void DeferredWorker::on_stored_one(const SipMessage& message, uint32_t receiver, uint32_t sender, uint32_t number) {
  const std::string name = "sip:" + users_[receiver].account.name + "@";
  if (!message.uri.starts_with(name)) {
    ++found_.corrupted;
    note("a message of " + name + " came to " + std::string(message.uri));
    return;
  }
  const uint64_t via = std::hash<std::string_view>{}(message.vias[0]) | 1;
  uint64_t& came = came_[uint64_t{receiver} * options_.messages + number];
  if (came == via) {
    ++found_.repeated;
    return;
  }
  if (came != 0) {
    ++found_.twice;
    note("delivered twice: " + std::string(message.body.substr(0, 40)));
    return;
  }
  came = via;
  uint32_t& last = last_[size_t{receiver} * options_.senders + sender];
  if (number + 1 < last) {
    ++found_.out_of_order;
    note("behind a later one of its sender: " + std::string(message.body.substr(0, 40)));
  }
  last = std::max(last, number + 1);
  if (!kept_[uint64_t{receiver} * options_.messages + number] || push_begin_ns_ == 0) return;  // somebody was there at once
  ++found_.delivered;
  count_delivery();
}

void DeferredWorker::count_delivery() {
  last_delivery_ns_ = now_;
  const size_t place = (now_ - push_begin_ns_) / (kNsPerSecond / kTimesPerSecond);
  if (per_time_.size() <= place) per_time_.resize(place + 1);
  ++per_time_[place];
}

void DeferredWorker::on_talk(uint64_t serial, uint32_t slot) {
  Ask* const ask = slot < asks_.size() && asks_[slot]->live && asks_[slot]->serial == serial ? asks_[slot].get() : nullptr;
  if (ask == nullptr || ask->delivered) {
    ++found_.repeated;  // or twice: over UDP the two who talk can not tell
    return;
  }
  ask->delivered = true;
  // Counted where it was due, also when it comes after the end of that time.
  const uint64_t took = now_ - ask->due_ns;
  if (ask->due_ns >= push_begin_ns_ && push_begin_ns_ != 0) {
    found_.busy.record(took);
    const size_t second = (ask->due_ns - push_begin_ns_) / kNsPerSecond;
    if (found_.busy_by_second.size() <= second) found_.busy_by_second.resize(second + 1);
    found_.busy_by_second[second].record(took);
  } else {
    found_.calm.record(took);
  }
  if (!ask->answered) return;
  ++found_.talked;
  end(*ask);
}

}  // namespace parley::load
