// tests/sim/mail/phone.cc - see phone.h.
#include "tests/sim/mail/phone.h"

#include <algorithm>
#include <utility>

namespace parley::sim::mail {
namespace {

constexpr Duration t1 = 500ms;
constexpr Duration t2 = 4s;

// What stands behind `name` up to the line's end.
std::string line_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return {};
  const std::size_t start = at + name.size();
  return text.substr(start, text.find("\r\n", start) - start);
}

}  // namespace

Phone::Phone(World& world, Book& book, std::string user, std::uint32_t number, const core::Address& server,
             const PhoneTraits& traits)
    : world_(world),
      book_(book),
      user_(std::move(user)),
      own_(address_v4(0x200 + number, static_cast<std::uint16_t>(6000 + number))),
      server_(server),
      traits_(traits),
      rng_(world.seed, 50 + number) {
  world_.net.datagrams.attach(own_, this);
}

sip::Message Phone::request(const std::string& method, const std::string& uri, const std::string& to,
                            const std::string& call_id, std::uint64_t number) {
  sip::Message m;
  m.request = true;
  m.method = method;
  m.uri = uri;
  const std::string here = core::to_string(own_);
  m.add("Via", "SIP/2.0/UDP " + here + ";branch=z9hG4bK" + user_ + "x" + std::to_string(next_++));
  m.add("Max-Forwards", "70");
  m.add("From", "<" + aor(user_) + ">;tag=" + user_ + "t" + std::to_string(number));
  m.add("To", "<" + to + ">");
  m.add("Call-ID", call_id);
  m.add("CSeq", std::to_string(number) + " " + method);
  return m;
}

void Phone::start(const sip::Message& m, const std::string& id, const std::string& target) {
  const std::string branch = sip::branch_of(m);
  clients_[branch] = {sip::write(m), id, target, world_.agenda.now() + 64 * t1, t1};
  send(clients_[branch].bytes);
  world_.agenda.after(t1, [this, branch] { resend(branch); });
}

void Phone::resend(const std::string& branch) {
  const auto found = clients_.find(branch);
  if (found == clients_.end()) return;
  Client& c = found->second;
  if (world_.agenda.now() >= c.until) {
    over(branch, 0);
    return;
  }
  send(c.bytes);
  c.interval = std::min(2 * c.interval, t2);
  world_.agenda.at(std::min(c.until, world_.agenda.now() + c.interval), [this, branch] { resend(branch); });
}

void Phone::enrol(std::uint32_t seconds) {
  sip::Message m = request("REGISTER", "sip:" + book_.domain, aor(user_), "reg-" + user_, ++reg_seq_);
  m.add("Contact", "<sip:" + user_ + "@" + core::to_string(own_) + ">;+g.oma.sip-im");
  m.add("Expires", std::to_string(seconds));
  world_.journal.line("%s registers for %u s", user_.c_str(), seconds);
  start(m, {}, {});
}

void Phone::write_to(const std::string& target) {
  ++lanes_[target].queued;
  send_next(target);
}

void Phone::send_next(const std::string& target) {
  Lane& lane = lanes_[target];
  if (lane.busy || lane.queued == 0) return;
  --lane.queued;
  lane.busy = true;
  const std::uint64_t number = ++lane.written;
  const std::string id = user_ + "-" + target + "-" + std::to_string(number);
  book_.mails[id] = {.from = user_, .to = target, .number = number, .taken = {}, .refused = {}};
  ++book_.written;
  sip::Message m = request("MESSAGE", aor(target), aor(target), "call-" + id, number);
  m.add("Accept-Contact", "*;+g.oma.sip-im");
  m.add("Content-Type", "message/cpim");
  m.body = "From: <" + aor(user_) + ">\r\nTo: <" + aor(target) + ">\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: " +
           id + "\r\nDateTime: 2023-11-14T22:13:20Z\r\n\r\nContent-Type: text/plain\r\n\r\nthis is " + id;
  start(m, id, target);
}

// `status` 0: nobody has answered.
void Phone::over(const std::string& branch, int status) {
  const Client c = std::move(clients_.at(branch));
  clients_.erase(branch);
  if (c.id.empty()) return;
  Book::Mail& mail = book_.mails.at(c.id);
  mail.status = status;
  ++book_.answered;
  world_.journal.line("%s is answered %d", c.id.c_str(), status);
  if (status == 200 && mail.taken.empty()) {
    world_.journal.fail("%s was answered 200 and no device has it", c.id.c_str());
  }
  if (status == 200 && c.target == book_.group) world_.journal.fail("a message to a group was answered 200");
  lanes_[c.target].busy = false;
  send_next(c.target);
}

void Phone::on_datagram(const core::Address&, const core::Address&, std::string_view bytes) {
  if (off_) return;
  sip::Message m;
  if (const std::string wrong = sip::read(bytes, m); !wrong.empty()) {
    world_.journal.fail("%s gets what is no SIP message: %s", user_.c_str(), wrong.c_str());
    return;
  }
  if (m.request) {
    on_request(m);
    return;
  }
  const std::string branch = sip::branch_of(m);
  if (m.status >= 200 && clients_.contains(branch)) over(branch, m.status);
}

void Phone::on_request(const sip::Message& m) {
  if (m.method != "MESSAGE") {
    world_.journal.fail("%s gets a %s", user_.c_str(), m.method.c_str());
    return;
  }
  const std::string branch = sip::branch_of(m);
  if (const auto found = answers_.find(branch); found != answers_.end()) {
    if (!found->second.empty()) send(found->second);
    return;
  }
  std::string& answer = answers_[branch];
  if (rng_.permille(traits_.silent_permille)) return;
  int status = 200;
  if (rng_.permille(traits_.unable_permille)) status = rng_.coin(1, 2) ? 480 : 503;
  if (rng_.permille(traits_.refuse_permille)) status = rng_.coin(1, 2) ? 415 : 486;
  sip::Message response;
  response.status = status;
  response.reason = "Said";
  for (const auto& [name, value] : m.fields) {
    if (name == "Via" || name == "From" || name == "Call-ID" || name == "CSeq") response.add(name, value);
  }
  response.add("To", m.value("To") + ";tag=" + user_ + "a" + std::to_string(next_++));
  const std::string bytes = sip::write(response);
  if (traits_.answer_max == Duration{}) {
    answer = bytes;
    take(m, status);
    send(bytes);
    return;
  }
  world_.agenda.after(std::chrono::microseconds(rng_.scaled(1, micros(traits_.answer_max))), [this, branch, bytes, m, status] {
    if (off_) return;
    answers_[branch] = bytes;
    take(m, status);
    send(bytes);
  });
}

void Phone::take(const sip::Message& m, int status) {
  const std::string id = line_of(m.body, "imdn.Message-ID: ");
  const auto found = book_.mails.find(id);
  if (found == book_.mails.end()) {
    world_.journal.fail("%s gets what nobody wrote: %s", user_.c_str(), id.c_str());
    return;
  }
  Book::Mail& mail = found->second;
  world_.journal.line("%s gets %s and says %d", user_.c_str(), id.c_str(), status);
  const bool of_group = mail.to == book_.group;
  if ((!of_group && mail.to != user_) || mail.from == user_) {
    world_.journal.fail("%s gets %s", user_.c_str(), id.c_str());
  }
  if (!m.body.ends_with("this is " + id)) world_.journal.fail("%s is not whole", id.c_str());
  if (!m.value("From").starts_with("<" + aor(mail.from) + ">;tag=")) world_.journal.fail("%s is from somebody else", id.c_str());
  if (m.value("P-Asserted-Identity") == "<sip:Deferred@" + book_.domain + ">" && m.value("Date").empty()) {
    world_.journal.fail("%s was deferred and does not say since when", id.c_str());
  }
  if (status == 415 || status == 486) ++mail.refused[user_];
  if (status != 200) return;
  ++book_.taken;
  if (++mail.taken[user_] == 1) book_.order[{mail.from, mail.to, user_}].push_back(id);
}

std::string Phone::waiting() const {
  for (const auto& [branch, client] : clients_) {
    if (!client.id.empty()) return "for the answer to " + client.id;
  }
  return {};
}

}  // namespace parley::sim::mail
