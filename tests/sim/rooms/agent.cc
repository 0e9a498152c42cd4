// tests/sim/rooms/agent.cc - see agent.h. Registration, what arrives, connections of MSRP.
#include "tests/sim/rooms/agent.h"

#include <algorithm>
#include <utility>

#include "tests/sim/rooms/cpim.h"

namespace parley::sim::rooms {

using sip::tag_of;

Agent::Agent(World& world, Place& place, Book& book, std::uint32_t number, std::string user, const core::Address& own,
             const core::Address& server_udp, const AgentTraits& traits)
    : Phone(world, place, book, number, std::move(user), own, server_udp, traits.stream),
      traits_(traits),
      place_(place),
      media_(own) {
  media_.port = static_cast<std::uint16_t>(7000 + number);
  anonymous_ = traits.anonymous;
  world_.listen(media_, this);
  world_.allow_dial(media_);
  reg_call_id_ = fresh("reg");
}

Agent::~Agent() {
  world_.listen(media_, nullptr);
}

// --- registration

void Agent::enrol(std::uint32_t expires) {
  if (ending_) return;
  reg_expires_ = expires;
  send_register(expires);
}

void Agent::send_register(std::uint32_t expires) {
  if (std::exchange(reg_open_, true)) {
    reg_again_ = true;
    return;
  }
  const bool hides = std::exchange(anonymous_, false);
  Message m = make("REGISTER", "sip:" + book_.server.domain, aor_);
  anonymous_ = hides;
  for (auto& [name, text] : m.fields) {
    if (name == "Call-ID") text = reg_call_id_;
    if (name == "CSeq") text = std::to_string(reg_seq_ += 5) + " REGISTER";
  }
  m.add("Contact", contact());
  m.add("Expires", std::to_string(expires));
  ask(std::move(m), usual_way(), [this, expires, round = ++reg_round_](const Message* answer) {
    reg_open_ = false;
    if (std::exchange(reg_again_, false)) return send_register(reg_expires_);
    const bool good = answer != nullptr && answer->status == 200;
    if (answer != nullptr && !good && answer->status < 500) fail("REGISTER gets " + std::to_string(answer->status));
    if (expires == 0 && good) return;
    if (reg_expires_ == 0 && expires != 0) return;
    const Duration again = good ? Duration(std::chrono::seconds(expires) / 2) : some(5s) + 100ms;
    after(again, [this, round] {
      if (round == reg_round_ && (reg_expires_ != 0 || ending_)) send_register(reg_expires_);
    });
  });
}

void Agent::on_lost(std::uint32_t connection) {
  Phone::on_lost(connection);
  if (!stream_ || reg_expires_ == 0) return;
  after(some(2s) + 500ms, [this] {
    if (reg_expires_ != 0) enrol(reg_expires_);
  });
  for (auto& w : watches_) refresh_watch(*w, some(2s) + 500ms);
}

// --- what arrives

void Agent::see(const Message& m, std::string_view bytes) {
  // What it has said itself of whom it wants to meet comes back.
  (void)m;
  book_.overheard(number_, bytes);
}

void Agent::on_request(const std::string& key) {
  const Message& m = servers_[key].request;
  if (m.method == "CANCEL") return on_cancel(key);
  if (m.method == "NOTIFY") return on_notify(key);
  if (m.method == "BYE") return on_bye(key);
  if (m.method == "INVITE" && tag_of(m.value("To")).empty()) return invited(key);
  if (m.method == "INVITE" || m.method == "UPDATE") return on_change(key);
  respond(key, 501);
}

void Agent::on_ack(const std::string& key, const Message& ack) {
  Party* const p = party_of(ack);
  if (p == nullptr || p->state == Party::State::gone) return;
  (void)key;
  entered(*p);
}

void Agent::on_no_ack(const std::string& key) {
  Party* const p = party_of(servers_[key].request);
  if (p == nullptr || p->state == Party::State::gone) return;
  p->seat->troubled = true;
  leave(*p, true);
}

void Agent::on_provisional(const Client& c, const Message& response) {
  (void)c;
  (void)response;
}

// --- parties

Agent::Party& Agent::add_party() {
  parties_.push_back(std::make_unique<Party>());
  Party& p = *parties_.back();
  p.number = static_cast<std::uint32_t>(parties_.size() - 1);
  p.seat = &book_.sit(number_, user_);
  p.seat->anonymous = traits_.anonymous;
  p.talk = std::make_unique<Talk>(world_, book_, rng_, *p.seat, *this, traits_.media, own_uri());
  return p;
}

std::string Agent::own_uri() {
  return "msrp://" + core::to_string(media_) + "/s" + std::to_string(number_) + "x" + std::to_string(next_session_++) +
         "q;tcp";
}

// By the dialog; of a request that makes one by its Call-ID.
Agent::Party* Agent::party_of(const Message& m) {
  for (auto& p : parties_) {
    if (p->dialog.call_id == m.value("Call-ID") && p->state != Party::State::gone) return p.get();
  }
  for (auto& p : parties_) {
    if (p->dialog.call_id == m.value("Call-ID")) return p.get();
  }
  return nullptr;
}

Agent::Party* Agent::party_of(const Talk& talk) {
  for (auto& p : parties_) {
    if (p->talk.get() == &talk) return p.get();
  }
  return nullptr;
}

Agent::Party* Agent::any_up(std::uint64_t draw) {
  std::vector<Party*> up;
  for (auto& p : parties_) {
    if (p->state == Party::State::up && p->seat->is_in()) up.push_back(p.get());
  }
  return up.empty() ? nullptr : up[draw % up.size()];
}

bool Agent::in_any() const {
  return std::any_of(parties_.begin(), parties_.end(), [](const auto& p) { return p->state == Party::State::up && p->seat->is_in(); });
}

// --- connections

Line* Agent::add_line(Stream& stream, Side side) {
  MediaTraits traits = traits_.media;
  if (calm_) traits = {};
  lines_.push_back(std::make_unique<Line>(world_, *this, stream, side, traits, next_line_++));
  return lines_.back().get();
}

void Agent::connect(Party& p) {
  if (p.talk->line() != nullptr || p.state == Party::State::gone) return;
  core::Address from = media_;
  from.port = next_port_++;
  Line* const line = add_line(*world_.connect(place_, std::uint16_t{0}, from), 0);
  world_.journal.line("seat %u connects", p.seat->number);
  p.talk->take(line, true);
}

void Agent::accepted(Stream* stream, const core::Address&) { (void)add_line(*stream, 1); }

std::vector<Talk*> Agent::talks_of(const Line& line) const {
  std::vector<Talk*> found;
  for (const auto& p : parties_) {
    if (p->talk->line() == &line) found.push_back(p->talk.get());
  }
  return found;
}

void Agent::let_go(Party& p) {
  Line* const line = p.talk->line();
  if (line == nullptr) return;
  if (talks_of(*line).size() == 1) return line->close();
  if (line->slow()) p.seat->troubled = true;  // it does not wait for what has not come yet
  p.talk->lost();
}

// The server uses one connection for all sessions at one address (RFC 4975 section 5.4), so each frame says whose it is.
void Agent::on_frame(Line& line, const Frame& frame) {
  if (strange_.contains(&line)) {
    const std::string* const told = frame.request ? frame.header("Status") : nullptr;
    if (told != nullptr && frame.method == "REPORT" && !told->starts_with("000 2")) return;
    if (frame.request || frame.status < 300)
      fail("authority: may use the session of another: " + (frame.request ? frame.method : std::to_string(frame.status)) + " to " + frame.to_path[0] + " from " + frame.from_path[0]);
    return;
  }
  for (auto& p : parties_) {
    if (p->state == Party::State::gone && p->talk->line() != &line) continue;
    if (!p->next_own.empty() && frame.request && frame.to_path == std::vector<std::string>{p->next_own}) switch_path(*p);
    if (frame.to_path != std::vector<std::string>{p->talk->own()}) continue;
    if (p->talk->line() != &line) {
      if (!frame.request) break;
      let_go(*p);
      p->talk->take(&line, false);
    }
    book_.overheard(number_, frame.body);
    if (!world_.journal.failed()) p->talk->on_frame(frame);
    return;
  }
  world_.journal.line("agent %u knows no session %s", number_, frame.to_path[0].c_str());
  if (!frame.request) return;  // about one that is over
  line.write("MSRP " + frame.tid + " 481 Gone\r\nTo-Path: " + frame.from_path[0] + "\r\nFrom-Path: " + frame.to_path[0] +
             "\r\n-------" + frame.tid + "$\r\n");
}

void Agent::on_line_lost(Line& line) {
  strange_.erase(&line);
  const std::vector<Talk*> talks = talks_of(line);
  const auto at = std::find_if(lines_.begin(), lines_.end(), [&](const auto& one) { return one.get() == &line; });
  if (at != lines_.end()) {
    dead_lines_.push_back(std::move(*at));
    lines_.erase(at);
  }
  for (Talk* const talk : talks) {
    if (!line.ended()) talk->seat().troubled = true;
    talk->lost();
  }
}

// --- the end

void Agent::behave() {
  calm_ = true;
  traits_.decline_permille = traits_.silent_permille = traits_.cancel_permille = traits_.lapse_permille = 0;
  traits_.deaf = false;
  traits_.answer_max = std::min<Duration>(traits_.answer_max, 1s);
  traits_.media = {};
  world_.listen(media_, this);
  for (auto& p : parties_) p->talk->behave();
  std::vector<Line*> all;
  for (auto& line : lines_) all.push_back(line.get());
  for (Line* const line : all) {
    if (std::any_of(lines_.begin(), lines_.end(), [line](const auto& one) { return one.get() == line; })) line->calm();
  }
}

void Agent::mend() {
  for (std::size_t n = 0; n < parties_.size(); ++n) {
    Party& p = *parties_[n];
    if (p.state != Party::State::up || !p.seat->is_in()) continue;
    if (p.talk->line() == nullptr || !p.direction.empty()) re_invite(p, "", p.talk->line() == nullptr);
  }
}

void Agent::wind_up() {
  ending_ = true;
  for (auto& w : watches_) unwatch(*w);
  for (std::size_t n = 0; n < parties_.size(); ++n) {
    Party& p = *parties_[n];
    if (p.state == Party::State::up) leave(p);
    if (p.state == Party::State::calling) cancel(p.dialog.call_id);
  }
  reg_expires_ = 0;
  send_register(0);
  after(5s, [this] {
    while (!lines_.empty()) lines_.back()->close();
  });
  after(400s, [this] { wire_.close_all(); });
}

}  // namespace parley::sim::rooms
