// tests/sim/client.cc - see client.h. The connection: reading, writing, its end.
#include "tests/sim/client.h"

#include <algorithm>

namespace parley::sim {

Client::Client(World& world, Place& place, std::uint32_t number, bool tls, std::string user, const Traits& traits)
    : world_(world), place_(place), rng_(world.seed, 100 + number), number_(number), tls_(tls), user_(std::move(user)),
      shares_user_(traits.liar || rng_.coin(1, 3)), traits_(traits), address_(address_v4(0x100 + number, static_cast<std::uint16_t>(7000 + number))) {}

Leg& Client::add_leg(bool authenticates, std::uint32_t hops) {
  legs_.push_back(std::make_unique<Leg>());
  Leg& leg = *legs_.back();
  leg.client = this;
  leg.number = static_cast<std::uint32_t>(legs_.size());
  leg.authenticates = authenticates;
  leg.user = shares_user_ || leg.number == 1 ? user_ : user_ + "x" + std::to_string(leg.number);
  for (auto& each : legs_) each->shares_user = shares_user_ && (legs_.size() > 1 || traits_.liar);
  leg.lapses = rng_.permille(world_.faults.lapse_permille);
  leg.hops = authenticates ? hops : 0;
  leg.uri = std::string(tls_ ? "msrps" : "msrp") + "://" + core::to_string(address_) + "/s" + std::to_string(number_) +
            "x" + std::to_string(leg.number) + (ws_ != nullptr ? ";ws" : ";tcp");
  return leg;
}

void Client::connect() {
  core::Address from = address_;
  stream_ = world_.connect(place_, tls_, from, ws_ != nullptr);
  side_ = 0;
  stream_->attach(side_, this);
  world_.journal.line("client %u connects%s, stream %u", number_, ws_ != nullptr ? " by WebSocket" : "", stream_->number());
  for (auto& leg : legs_) {
    if (leg->authenticates) authenticate(*leg, 0, Name::relay);
    else leg->ready = true, claimed_[leg->uri] = true;
  }
  pump();
}

void Client::wait_for_dial() {
  for (auto& leg : legs_) leg->ready = leg->reachable = true, claimed_[leg->uri] = true;
}

void Client::wake() {
  on_readable();
  pump();
}

void Client::forget_unready() {
  std::erase_if(plan_, [](const Plan& plan) {
    if (plan.message->from->open()) return false;
    plan.message->given_up = true;
    return true;
  });
}

void Client::accepted(Stream* stream, const core::Address&) {
  if (stream_ != nullptr || died_) {  // one connection is enough for this client
    stream->abort(1);
    return;
  }
  stream_ = stream;
  side_ = 1;
  stream_->attach(side_, this);
  world_.journal.line("client %u is dialled, stream %u", number_, stream_->number());
}

bool Client::authenticated() const {
  return std::any_of(legs_.begin(), legs_.end(), [](const auto& leg) { return leg->authenticates && leg->ready; });
}

bool Client::owns(const std::string& relay_uri) const {
  return std::any_of(legs_.begin(), legs_.end(), [&](const auto& leg) {
    return std::find(leg->use_path.begin(), leg->use_path.end(), relay_uri) != leg->use_path.end() ||
           std::find(leg->former.begin(), leg->former.end(), relay_uri) != leg->former.end();
  });
}

std::string Client::state() const {
  return "client " + std::to_string(number_) + (died_ ? " died" : "") + (left_ ? " left" : "") + ", plans " +
         std::to_string(plan_.size()) + (writing_ ? ", writing" : "") + ", control " + std::to_string(control_.size()) +
         ", out " + std::to_string(out_.size()) + ", in flight " + std::to_string(in_flight_) + ", pending " +
         std::to_string(pending_.size()) + ", unread " +
         std::to_string(stream_ == nullptr ? 0 : stream_->available(side_)) + ", room " +
         std::to_string(stream_ == nullptr ? 0 : stream_->room(side_));
}

void Client::die(const char* why) {
  if (died_ || left_) return;
  died_ = true;
  world_.journal.line("client %u is gone: %s", number_, why);
  if (stream_ != nullptr) stream_->attach(side_, nullptr);
}

void Client::leave() {
  if (!alive() || left_) return;
  left_ = true;
  world_.journal.line("client %u leaves", number_);
  if (rng_.coin(1, 2)) {
    stream_->finish(side_);  // and reads on until the relay ends its side too
    on_readable();
  } else {
    stream_->close(side_);
  }
}

void Client::on_reset() {
  if (stream_ != nullptr) read(~std::uint64_t{0});
  die("reset");
}

void Client::on_readable() {
  if (reading_ || stream_ == nullptr) return;
  if (traits_.read_per_tick != 0 && !world_.faults.quiet) {
    later_tick();
    return;
  }
  read(~std::uint64_t{0});
}

void Client::later_tick() {
  if (tick_due_) return;
  tick_due_ = true;
  world_.agenda.after(std::chrono::milliseconds(rng_.between(1, 60)), [this] {
    tick_due_ = false;
    tick();
  });
}

void Client::tick() {
  if (!alive()) return;
  if (world_.faults.quiet) {
    read(~std::uint64_t{0});
    pump();
    return;
  }
  ++world_.journal.faults;
  if (traits_.read_per_tick != 0) {
    read(traits_.read_per_tick);
    if (alive() && stream_->available(side_) != 0) later_tick();
  }
  if (alive() && traits_.write_per_tick != 0 && !out_.empty()) {
    write_some(traits_.write_per_tick);
    pump();
  }
}

void Client::read(std::uint64_t bytes_max) {
  reading_ = true;
  const std::string bytes = stream_->read(side_, bytes_max);
  for (const Frame& frame : reader_.feed(ws_ != nullptr ? ws_->feed(bytes) : bytes)) take(frame);
  reading_ = false;
  if (ws_ != nullptr && !ws_->violation().empty()) {
    world_.journal.fail("client %u: the relay's bytes are not WebSocket: %s", number_, ws_->violation().c_str());
    return;
  }
  if (!reader_.violation().empty()) {
    world_.journal.fail("client %u: the relay's bytes are not MSRP: %s", number_, reader_.violation().c_str());
    return;
  }
  if (died_) return;
  if (stream_->at_end(side_)) {
    if (left_) {
      stream_->close(side_);
      return;
    }
    stream_->close(side_);
    die("closed by the relay");
    return;
  }
  pump();
}

void Client::pump() {
  if (pumping_ || !alive() || left_) return;
  pumping_ = true;
  while (alive()) {
    if (out_.empty() && !(ws_ != nullptr ? pump_websocket() : pump_frame())) break;
    if (traits_.write_per_tick != 0 && !world_.faults.quiet) {
      later_tick();
      break;
    }
    const std::size_t before = out_.size();
    write_some(~std::uint64_t{0});
    if (out_.size() == before) break;
  }
  pumping_ = false;
}

void Client::write_some(std::uint64_t budget) {
  const std::uint64_t n = std::min<std::uint64_t>({budget, out_.size(), stream_->room(side_)});
  if (n == 0) return;
  stream_->take(side_, n);
  stream_->put(side_, out_.substr(0, n));
  out_.erase(0, n);
  written_ += n;
  if (traits_.vanish_after != 0 && written_ >= traits_.vanish_after && !world_.faults.quiet) {
    ++world_.journal.faults;
    Stream* stream = stream_;
    die("vanishes");
    if (traits_.vanish_hard) stream->abort(side_);
    else stream->close(side_);
  }
}

bool Client::pump_websocket() {
  if (ws_->owes()) {
    out_ = ws_->take_owed();
    return true;
  }
  if (!ws_->open() || !pump_frame()) return false;
  out_ = ws_->wrap(out_);
  if (traits_.liar && rng_.coin(1, 100)) out_ += ws_->broken_frame();
  return true;
}

// Puts the next piece into out_. False when there is nothing to write.
bool Client::pump_frame() {
  if (writing_) {
    Writing& w = *writing_;
    // A polite client lets its responses pass between two chunks (RFC 4975 section 7.1).
    if (w.interruptible && !control_.empty() && w.at - w.tag->start >= 2048 && w.at < w.end) {
      end_chunk('+');
      return true;
    }
    if (w.at == w.end) {
      end_chunk(w.cross_out ? '#' : w.at == w.message->body.size() ? '$' : '+');
      return true;
    }
    const std::uint64_t n = std::min<std::uint64_t>(w.end - w.at, rng_.scaled(1, 16384));
    out_ += w.message->body.substr(w.at, n);
    w.at += n;
    w.tag->length += n;
    return true;
  }
  if (!control_.empty()) {
    out_ = std::move(control_.front());
    control_.pop_front();
    return true;
  }
  if (plan_.empty() || in_flight_ >= traits_.window) return false;
  // Messages may be interleaved chunk by chunk (T-68); who waits for a session does not hold up the others.
  std::vector<std::size_t> open;
  for (std::size_t n = 0; n < plan_.size() && open.size() < 2; ++n) {
    if (plan_[n].message->from->open()) open.push_back(n);
  }
  if (open.empty()) return false;
  start_chunk(open[rng_.coin(1, 4) ? open.size() - 1 : 0]);
  return true;
}

void Client::start_chunk(std::size_t chosen) {
  Plan& plan = plan_[chosen];
  Message& m = *plan.message;
  Tag& tag = world_.ledger.add_tag();
  const std::string tid = new_id();
  tag.message = &m;
  tag.leg = m.from;
  tag.tid = tid;
  tag.message_id = m.id;
  tag.start = plan.at;
  const std::vector<std::string> to = relay_path(*m.from);
  world_.journal.line("client %u -> %s SEND tag %zu message %u from %llu", number_, tid.c_str(), tag.number, m.number,
                      static_cast<unsigned long long>(plan.at));
  out_ = request_head(tid, "SEND", to, m.from->uri, tag);
  out_ += "Message-ID: " + m.id + "\r\n";
  if (m.success_wanted) out_ += "Success-Report: yes\r\n";
  if (m.failure != "absent") out_ += "Failure-Report: " + m.failure + "\r\n";
  const std::uint64_t left = m.body.size() - plan.at;
  std::uint64_t size = plan.chunk_bytes == 0 ? left : std::min(left, plan.chunk_bytes);
  bool cross_out = false;
  if (plan.abort_at != 0 && plan.at + size >= plan.abort_at) {
    size = plan.abort_at - plan.at;
    cross_out = true;
  }
  const bool whole = plan.at == 0 && size == m.body.size();
  if (!whole || plan.star || m.number % 3 != 0) {
    const std::string total = m.total_known ? std::to_string(m.body.size()) : "*";
    const bool star = plan.star || cross_out;
    out_ += "Byte-Range: " + std::to_string(plan.at + 1) + "-" + (star ? "*" : std::to_string(plan.at + size)) + "/" +
            total + "\r\n";
  }
  const bool answered = m.failure == "yes" || m.failure == "absent";
  pending_[tid] = {Pending::Kind::send, m.from, &m, to[0], answered, &tag, {}};
  if (answered) ++m.unanswered, ++in_flight_;
  if (!m.has_body) {
    out_ += "-------" + tid + "$\r\n";
    tag.flag = '$';
    m.finished = true;
    plan_.erase(plan_.begin() + static_cast<std::ptrdiff_t>(chosen));
    return;
  }
  out_ += "Content-Type: text/plain\r\n\r\n";
  writing_ = Writing{&m, &tag, plan.at, plan.at + size, tid, plan.star, cross_out};
}

void Client::end_chunk(char flag) {
  Writing& w = *writing_;
  Message& m = *w.message;
  out_ += "\r\n-------" + w.tid + flag + "\r\n";
  w.tag->flag = flag;
  m.sent = w.at;
  const auto plan = std::find_if(plan_.begin(), plan_.end(), [&](const Plan& p) { return p.message == &m; });
  if (plan != plan_.end()) {
    plan->at = w.at;
    if (flag != '+') plan_.erase(plan);
  }
  if (flag == '$') m.finished = true;
  if (flag == '#') m.given_up = true;
  writing_.reset();
}

}  // namespace parley::sim
