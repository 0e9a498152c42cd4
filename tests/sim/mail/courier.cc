// tests/sim/mail/courier.cc - see courier.h.
#include "tests/sim/mail/courier.h"

#include <algorithm>
#include <utility>

#include "tests/sim/rooms/cpim.h"

namespace parley::sim::mail {

using sip::cseq_number;
using sip::Message;
using sip::tag_of;
using sip::uri_of;

namespace {

constexpr unsigned window = 4;            // SENDs that wait for an answer
constexpr Duration report_wait = 90s;     // then it is sent again
constexpr unsigned attempts_enough = 60;  // when all is well
constexpr const char* tag = ";+g.oma.sip-im.large-message";

}  // namespace

Courier::Courier(World& world, Place& place, rooms::Book& sip_book, Book& book, std::uint32_t number, std::string user,
                 const core::Address& own, const core::Address& server, const CourierTraits& traits)
    : Phone(world, place, sip_book, number, std::move(user), own, server, false),
      place_(place),
      mail_(book),
      traits_(traits) {
  world_.allow_dial(own);
}

void Courier::note_trouble() { troubles_.push_back(world_.agenda.now()); }

bool Courier::troubled(Instant from, Instant to) const {
  return std::any_of(troubles_.begin(), troubles_.end(), [&](Instant at) { return at >= from && at <= to; });
}

void Courier::on_bytes(const sip::Way& from, std::string_view bytes) {
  if (!off_) Phone::on_bytes(from, bytes);
}

void Courier::enrol(std::uint32_t seconds) {
  Message m = make("REGISTER", "sip:" + book_.server.domain, aor_);
  for (auto& [name, text] : m.fields) {
    if (name == "Call-ID") text = "reg-" + user_;
    if (name == "CSeq") text = std::to_string(++reg_seq_) + " REGISTER";
  }
  m.add("Contact", contact() + tag);
  m.add("Expires", std::to_string(seconds));
  (void)start(std::move(m), usual_way(), nullptr);
}

void Courier::switch_off() {
  off_ = true;
  note_trouble();
  while (!lines_.empty()) lines_.back()->abort();
}

void Courier::break_line(std::uint64_t draw) {
  if (lines_.empty()) return;
  ++world_.journal.faults;
  rooms::Line& line = *lines_[draw % lines_.size()];
  draw % 2 == 0 ? line.abort() : line.close();
}

void Courier::behave() {
  calm_ = true;
  const std::uint64_t bytes_max = traits_.bytes_max;
  traits_ = {};
  traits_.bytes_max = std::min<std::uint64_t>(bytes_max, 10'000);
  wishes_.clear();
  for (std::size_t n = lines_.size(); n-- > 0;) {
    if (n < lines_.size()) lines_[n]->calm();
  }
}

void Courier::close_all() {
  while (!lines_.empty()) lines_.back()->close();
}

// --- sessions

Courier::Party& Courier::add_party() {
  parties_.push_back(std::make_unique<Party>());
  Party& p = *parties_.back();
  p.number = static_cast<std::uint32_t>(parties_.size() - 1);
  p.own = "msrp://" + core::to_string(own_) + "/c" + std::to_string(number_) + "x" + std::to_string(p.number) + "q;tcp";
  return p;
}

std::string Courier::description(const Party& p) const {
  return "v=0\r\no=- 4711 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\na=" +
         std::string(p.sends ? "sendonly" : "recvonly") + "\r\na=accept-types:*\r\na=setup:active\r\na=path:" + p.own +
         "\r\n";
}

void Courier::add_abilities(Message& m) const {
  m.add("Accept-Contact", "*;+g.oma.sip-im.large-message");
  m.add("User-Agent", "IM-client/OMA1.0 sim/1");
  m.add("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, NOTIFY, UPDATE");
}

void Courier::connect(Party& p) {
  core::Address from = own_;
  from.port = next_port_++;
  lines_.push_back(std::make_unique<rooms::Line>(world_, *this, *world_.connect(place_, std::uint16_t{0}, from),
                                                 Side{0}, traits_.media, next_line_++));
  p.line = lines_.back().get();
  const std::string tid = fresh("b");
  pending_[tid] = {.party = p.number, .binds = true};
  write_line(p,
             head(p, tid, "SEND") + "Message-ID: " + fresh("m") + "\r\nByte-Range: 1-0/0\r\n-------" + tid + "$\r\n");
}

std::string Courier::head(const Party& p, const std::string& tid, const char* method) const {
  return "MSRP " + tid + " " + method + "\r\nTo-Path: " + p.peer + "\r\nFrom-Path: " + p.own + "\r\n";
}

void Courier::write_line(Party& p, std::string bytes) {
  if (p.line != nullptr) p.line->write(std::move(bytes));
}

void Courier::on_line_lost(rooms::Line& line) {
  note_trouble();
  for (auto& p : parties_) {
    if (p->line != &line) continue;
    p->line = nullptr;
    if (p->sends && !p->over) after(some(1s), [this, n = p->number] { failed(*parties_[n], false); });
  }
  const auto at = std::find_if(lines_.begin(), lines_.end(), [&](const auto& one) { return one.get() == &line; });
  if (at == lines_.end()) return;
  dead_lines_.push_back(std::move(*at));
  lines_.erase(at);
}

void Courier::hang_up(Party& p) {
  if (std::exchange(p.up, false)) (void)start(in_dialog(p.dialog, "BYE"), way_in(p.dialog), nullptr);
  after(2s, [this, n = p.number] {
    if (parties_[n]->line != nullptr) parties_[n]->line->close();
  });
}

void Courier::on_frame(rooms::Line& line, const Frame& frame) {
  const auto found =
      std::find_if(parties_.begin(), parties_.end(), [&](const auto& p) { return p->own == frame.to_path[0]; });
  if (found == parties_.end()) return fail("something for " + frame.to_path[0]);
  Party& p = **found;
  world_.journal.line("%s <- %s %s %llu+%zu%c", user_.c_str(), frame.tid.c_str(),
                      frame.request ? frame.method.c_str() : std::to_string(frame.status).c_str(),
                      static_cast<unsigned long long>(frame.start), frame.body.size(), frame.flag);
  if (p.line != &line) return fail("it comes over another connection");
  if (frame.request) {
    if (frame.method == "SEND") return take_send(p, frame);
    if (frame.method != "REPORT") return fail("a " + frame.method);
    const std::string* const status = frame.header("Status");
    if (!p.sends) {  // of the one that binds
      if (status == nullptr || status->starts_with("000 200")) fail("a good REPORT to who sends nothing");
      return;
    }
    const std::string* const id = frame.header("Message-ID");
    if (id == nullptr || *id != p.id) return;  // of the one that binds
    const bool good = frame.header("Status")->starts_with("000 200");
    if (good && p.at != mail_.larges.at(p.id).bytes) fail("a good REPORT about a part");
    return good ? reported(p) : failed(p, true);
  }
  const auto asked = pending_.find(frame.tid);
  if (asked == pending_.end()) return fail("a response to nothing: " + frame.tid);
  const Pending pending = asked->second;
  pending_.erase(asked);
  if (!p.sends || p.over) return;
  if (!pending.binds) --p.owed;
  if (frame.status != 200) return failed(p, !pending.binds);
  pump(p);
}

// --- ours

void Courier::write_to(const std::string& target, std::vector<std::string> users) {
  std::erase(users, user_);
  if (users.empty()) return;
  const bool one = users.size() == 1 && target == users.front();
  wishes_.push_back({target, std::move(users), !one});
  begin_next();
}

std::string Courier::content_of(const std::string& id, std::size_t bytes) const {
  std::string text = "From: <sip:" + id.substr(0, id.find('-')) + "@" + mail_.domain + ">\r\nTo: <sip:x@" +
                     mail_.domain + ">\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: " + id +
                     "\r\nDateTime: 2023-11-14T22:13:20Z\r\n\r\nContent-Type: text/plain\r\n\r\n";
  std::uint64_t key = 7;
  for (const char c : id) key = key * 131 + static_cast<unsigned char>(c);
  Rng rng(key, 1);
  while (text.size() < bytes) {
    text += "\r\n-------" + std::to_string(rng.next()) + "$\r\n";
    text.append(rng.next() % 40, static_cast<char>('a' + rng.next() % 26));
  }
  return text;
}

void Courier::begin_next() {
  if (!current_.empty() || wishes_.empty()) return;
  const Wish wish = std::move(wishes_.front());
  wishes_.pop_front();
  const std::uint64_t number = ++numbers_[wish.target];
  current_ = user_ + "-" + wish.target + "-" + std::to_string(number);
  const std::size_t bytes =
      content_of(current_, rng_.coin(1, 6) ? rng_.between(1, traits_.bytes_max) : rng_.scaled(200, traits_.bytes_max))
          .size();
  mail_.larges[current_] = {.from = user_,
                            .target = wish.target,
                            .to = wish.users,
                            .several = wish.several,
                            .number = number,
                            .bytes = bytes,
                            .taken = {}};
  ++mail_.written;
  attempt();
}

void Courier::attempt() {
  if (current_.empty()) return;
  Book::Large& one = mail_.larges.at(current_);
  ++one.attempts;
  one.began = world_.agenda.now();
  Party& p = add_party();
  p.sends = true;
  p.id = current_;
  p.chunk = rng_.scaled(std::max<std::size_t>(1, one.bytes / 60), std::max<std::size_t>(1, one.bytes));
  const bool several = one.several && one.target != mail_.crew;  // they are named in a list
  const std::string to = several ? "sip:factory@" + mail_.domain : "sip:" + one.target + "@" + mail_.domain;
  Message m = make("INVITE", several ? to + ";sessiontype=adhoc" : to, to);
  p.dialog.call_id = m.value("Call-ID");
  m.add("Contact", contact() + tag);
  add_abilities(m);
  if (several) {
    std::vector<std::string> uris;
    for (const std::string& user : one.to) uris.push_back("sip:" + user + "@" + mail_.domain);
    const std::string boundary = fresh("bound");
    m.add("Require", "recipient-list-invite");
    m.add("Content-Type", "multipart/mixed;boundary=\"" + boundary + "\"");
    m.body = rooms::with_recipients(description(p), uris, boundary);
  } else {
    m.add("Content-Type", "application/sdp");
    m.body = description(p);
  }
  world_.journal.line("%s sends %s, %zu bytes, for the %u. time", user_.c_str(), p.id.c_str(), one.bytes, one.attempts);
  (void)start(std::move(m), usual_way(),
              [this, n = p.number](const Message* answer) { answered(*parties_[n], answer); });
  after(70s, [this, call_id = p.dialog.call_id] { cancel(call_id); });
}

void Courier::answered(Party& p, const Message* m) {
  if (m == nullptr || m->status >= 300)
    return failed(p, m != nullptr && m->status != 503 && m->status != 487 && m->status != 408);
  rooms::Phone::Dialog& d = p.dialog;
  d.local = m->value("From");
  d.remote = m->value("To");
  d.target = uri_of(m->value("Contact"));
  d.routes = m->values("Record-Route");
  std::reverse(d.routes.begin(), d.routes.end());
  d.local_seq = cseq_number(*m);
  acknowledge(d, *m);
  p.up = true;
  const auto path = rooms::attributes(m->body, "path");
  if (path.empty()) return fail("an answer without a path: " + m->body);
  p.peer = path.front();
  if (p.over || off_) return failed(p, false);
  connect(p);
  after(report_wait, [this, n = p.number] { failed(*parties_[n], false); });
}

void Courier::pump(Party& p) {
  const Book::Large& one = mail_.larges.at(p.id);
  std::string content;
  while (p.line != nullptr && !p.over && p.at < one.bytes && p.owed < window) {
    if (content.empty()) content = content_of(p.id, one.bytes);
    const std::size_t take = std::min(p.chunk, one.bytes - p.at);
    const std::string tid = fresh("s");
    std::string text = head(p, tid, "SEND") + "Message-ID: " + p.id + "\r\nByte-Range: " + std::to_string(p.at + 1) +
                       "-" + std::to_string(p.at + take) + "/" + std::to_string(one.bytes) +
                       "\r\nSuccess-Report: yes\r\nContent-Type: message/cpim\r\n\r\n" + content.substr(p.at, take) +
                       "\r\n-------" + tid + (p.at + take == one.bytes ? "$" : "+") + "\r\n";
    p.at += take;
    ++p.owed;
    pending_[tid] = {.party = p.number, .binds = false};
    write_line(p, std::move(text));
    if (p.line == nullptr || !rng_.permille(traits_.cut_permille)) continue;
    ++world_.journal.faults;
    p.line->abort();
  }
}

void Courier::reported(Party& p) {
  Book::Large& one = mail_.larges.at(p.id);
  world_.journal.line("%s is reported", p.id.c_str());
  if (!std::exchange(p.over, true) && !one.reported) {
    one.reported = true;
    one.reported_at = world_.agenda.now();
    ++mail_.reported;
    if (current_ == p.id) current_.clear();
  }
  hang_up(p);
  begin_next();
}

// `told`: he has heard that it has failed. Else nobody knows, and it is sent again.
void Courier::failed(Party& p, bool told) {
  if (std::exchange(p.over, true)) return hang_up(p);
  Book::Large& one = mail_.larges.at(p.id);
  world_.journal.line("%s has failed%s", p.id.c_str(), told ? ", as its sender hears" : "");
  hang_up(p);
  if (current_ != p.id) return;
  if (told && (calm_ ? mail_.limited : rng_.coin(1, 3))) {
    one.given_up = true;
    current_.clear();
    return begin_next();
  }
  if (calm_ && one.attempts > attempts_enough) return fail("liveness: " + p.id + " fails again and again");
  after(100ms + some(calm_ ? 2s : 8s), [this, id = p.id] {
    if (current_ == id) attempt();
  });
}

// --- those of others

void Courier::on_request(const std::string& key) {
  const Message& m = servers_[key].request;
  const auto party = std::find_if(parties_.begin(), parties_.end(), [&](const auto& p) {
    return p->dialog.call_id == m.value("Call-ID") && tag_of(p->dialog.local) == tag_of(m.value("To")) && p->up;
  });
  if (m.method == "CANCEL") {
    const std::string invite = key.substr(0, key.find(' ')) + " INVITE";
    const auto found = servers_.find(invite);
    if (found == servers_.end()) return respond(key, 481);
    servers_[key].tag = found->second.tag;
    respond(key, 200);
    if (found->second.status < 200) respond(invite, 487);
    return;
  }
  if (m.method == "INVITE" && tag_of(m.value("To")).empty()) return invited(key);
  if (party == parties_.end()) return respond(key, m.method == "MESSAGE" || m.method == "OPTIONS" ? 200 : 481);
  Party& p = **party;
  if (m.method != "BYE") return respond(key, 200, {}, m.method == "INVITE" ? description(p) : "");
  if (!p.invite.empty()) servers_[p.invite].acked = true;
  p.up = false;
  respond(key, 200);
  world_.journal.line("%s: session %u is ended: %s", user_.c_str(), p.number, m.value("Reason").c_str());
  if (p.sends && !p.over) return failed(p, false);
  p.over = true;
  hang_up(p);
}

void Courier::on_no_ack(const std::string& key) {
  for (auto& p : parties_) {
    if (p->invite != key || p->over) continue;
    note_trouble();
    p->over = true;
    hang_up(*p);
  }
}

void Courier::invited(const std::string& key) {
  const Message& invite = servers_[key].request;
  for (const auto& [other, server] : servers_) {  // RFC 3261 section 8.2.2.2
    const Message& before = server.request;
    const bool same = other != key && before.method == "INVITE" && before.value("Call-ID") == invite.value("Call-ID") &&
                      tag_of(before.value("From")) == tag_of(invite.value("From")) &&
                      cseq_number(before) == cseq_number(invite);
    if (same) return respond(key, 482);
  }
  if (rng_.permille(traits_.silent_permille)) return;
  if (rng_.coin(1, 2)) respond(key, 180);
  after(some(traits_.answer_max) + 1ms, [this, key] {
    if (servers_[key].status >= 200 || off_) return;
    if (rng_.permille(traits_.decline_permille)) {
      note_trouble();
      constexpr int reasons[] = {486, 480, 603};
      return respond(key, reasons[rng_.next() % 3]);
    }
    accept(key);
  });
}

void Courier::accept(const std::string& key) {
  const Message m = servers_[key].request;
  Party& p = add_party();
  p.invite = key;
  p.up = true;
  Dialog& d = p.dialog;
  d.call_id = m.value("Call-ID");
  d.local = m.value("To") + ";tag=" + servers_[key].tag;
  d.remote = m.value("From");
  d.target = uri_of(m.value("Contact"));
  d.routes = m.values("Record-Route");
  d.remote_seq = cseq_number(m);
  d.local_seq = static_cast<unsigned>(rng_.between(1, 1000));
  if (m.value("Accept-Contact").find("large-message") == std::string::npos) fail("it is called for something else");
  const auto path = rooms::attributes(m.body, "path");
  if (path.empty()) return fail("an invitation without a path: " + m.body);
  p.peer = path.front();
  Message more;
  more.add("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE");
  more.add("Server", "IM-client/OMA1.0 sim/1");
  respond(key, 200, more.fields, description(p));
  connect(p);
}

void Courier::take_send(Party& p, const Frame& frame) {
  const std::string* const id = frame.header("Message-ID");
  if (id == nullptr) return fail("a SEND without Message-ID");
  const std::string* const failure = frame.header("Failure-Report");
  const auto answer = [&](int status) {
    if (failure != nullptr && *failure != "yes") return;
    write_line(p, "MSRP " + frame.tid + " " + std::to_string(status) + " OK\r\nTo-Path: " + frame.from_path[0] +
                      "\r\nFrom-Path: " + p.own + "\r\n-------" + frame.tid + "$\r\n");
  };
  if (!frame.has_body && frame.flag != '#') return answer(200);  // it binds
  if (p.sends) return fail("a message to who only sends");
  if (rng_.permille(traits_.break_permille)) {
    ++world_.journal.faults;
    p.line->abort();
    return;
  }
  Partial& known = p.partial[*id];
  if (frame.start == 1) known = {};
  std::string& part = known.bytes;
  if (frame.flag == '#') {
    known = {};
    return answer(200);
  }
  if (known.refused) return answer(413);
  if (frame.start != part.size() + 1)
    return fail("bytes: a chunk that begins at " + std::to_string(frame.start) + ", not at " +
                std::to_string(part.size() + 1) + ", of " + *id);
  if (rng_.permille(traits_.refuse_permille)) {
    ++world_.journal.faults;
    note_trouble();
    known.refused = true;
    return answer(413);
  }
  part += frame.body;
  if (frame.flag == '$') {
    if (frame.total && *frame.total != part.size())
      return fail("bytes: " + std::to_string(part.size()) + " of " + std::to_string(*frame.total));
    take_whole(*id, part);
  }
  answer(200);
  const std::string* const success = frame.header("Success-Report");
  if (frame.flag != '$' || success == nullptr || !success->starts_with("yes")) return;
  const std::string tid = fresh("r");
  const std::string size = std::to_string(part.size());
  write_line(p, head(p, tid, "REPORT") + "Message-ID: " + *id + "\r\nByte-Range: 1-" + size + "/" + size +
                    "\r\nStatus: 000 200 OK\r\n-------" + tid + "$\r\n");
}

// By its imdn.Message-ID: what comes from the store has the same one.
void Courier::take_whole(const std::string& mid, const std::string& bytes) {
  const std::size_t at = bytes.find("imdn.Message-ID: ");
  const std::string id = at == std::string::npos ? mid : bytes.substr(at + 17, bytes.find("\r\n", at) - at - 17);
  const auto found = mail_.larges.find(id);
  if (found == mail_.larges.end()) return fail("what nobody wrote: " + id);
  Book::Large& one = found->second;
  if (mid != id) fail("another Message-ID than its sender gave it: " + mid);
  if (std::find(one.to.begin(), one.to.end(), user_) == one.to.end()) fail("what is for others: " + id);
  const std::string sent = content_of(id, one.bytes);
  const auto differ = static_cast<std::size_t>(
      std::mismatch(bytes.begin(), bytes.end(), sent.begin(), sent.end()).first - bytes.begin());
  if (bytes != sent)
    fail("bytes: " + id + " is not what was sent: " + std::to_string(bytes.size()) + " bytes and not " +
         std::to_string(sent.size()) + ", other ones from " + std::to_string(differ) + " on");
  world_.journal.line("%s has %s", user_.c_str(), id.c_str());
  ++mail_.taken;
  if (++one.taken[user_] == 1) mail_.order[{one.from, "large " + one.target, user_}].push_back(id);
}

}  // namespace parley::sim::mail
