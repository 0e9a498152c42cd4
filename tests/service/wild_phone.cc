// tests/service/wild_phone.cc - see wild_phone.h.
#include "tests/service/wild_phone.h"

namespace parley::tests {

Wild::Wild(Line& line, core::Random& random, const std::string& user, const std::string& address, std::uint32_t shard)
    : phone(line, user, address, shard), random_(random), line_(line) {}

void Wild::act() {
  while (phone.boxed() != 0) {
    const std::string text = phone.next();
    if (!chance(90)) continue;  // lost
    if (text.starts_with("SIP/2.0 ")) {
      on_response(text);
    } else {
      on_request(text);
    }
  }
  if (chance(60)) {
    answer_one();
  } else if (chance(70)) {
    ask();
  }
}

std::string Wild::timer() {
  return chance(30) ? "Supported: timer\r\nSession-Expires: " + std::to_string(one_of({60, 90, 200, 4000})) +
                          (chance(50) ? ";refresher=uac\r\n" : ";refresher=uas\r\n")
                    : "";
}

std::string Wild::abilities() {
  return timer() +
         (chance(40)   ? "Supported: 100rel\r\n"
          : chance(10) ? "Require: 100rel\r\n"
                       : "") +
         (chance(50) ? "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK\r\n" : "");
}

void Wild::on_request(const std::string& text) {
  const std::string name = method(text);
  if (name == "ACK") return;
  if (name == "INVITE") {
    if (invites_.size() < 4) invites_.push_back(text);
    return;
  }
  if (name == "CANCEL" && chance(70)) {
    phone.respond(text, 200);
    if (!invites_.empty()) phone.respond(invites_.back(), one_of({487, 487, 487, 200}), body());
    return;
  }
  if (chance(80)) phone.respond(text, one_of({200, 200, 200, 200, 488, 500, 481, 491, 422, 404}), body(), timer());
}

void Wild::answer_one() {
  if (invites_.empty()) return;
  const std::string invite = invites_[random_.uniform(invites_.size())];
  const int status = one_of({100, 180, 183, 183, 200, 200, 200, 302, 407, 422, 481, 486, 491, 503, 603});
  std::string lines = abilities();
  if (status > 100 && status < 200 && chance(50)) {
    lines += "Require: 100rel\r\nRSeq: " + std::to_string(one_of({7, 8, 9})) + "\r\n";
  }
  if (status == 422) lines += "Min-SE: " + std::to_string(one_of({90, 3600, 90'000})) + "\r\n";
  if (tag_of(header(invite, "To")).empty()) phone.hold(invite, header(invite, "To") + ";tag=" + phone.name());
  phone.respond(invite, status, body(), lines);
  if (status >= 200 && chance(70)) std::erase(invites_, invite);
}

void Wild::on_response(const std::string& text) {
  const int status = std::stoi(code(text));
  if (header(text, "CSeq").ends_with("INVITE")) {
    if (tag_of(header(text, "To")).size() > 10) phone.take(text);
    if (status >= 200 && chance(85)) phone.ack(status < 300 ? body() : "");
    if (status > 100 && status < 200 && !header(text, "RSeq").empty() && chance(80)) {
      phone.request("PRACK", body(), "RAck: " + header(text, "RSeq") + " " + header(text, "CSeq") + "\r\n");
    }
  }
}

void Wild::ask() {
  if (phone.call_id.empty() || chance(15)) {
    phone.cseq = 0;
    phone.invite(phone.user() == "alice" ? "bob" : "alice", body(), abilities());
    return;
  }
  switch (random_.uniform(8)) {
    case 0:
      if (!phone.invite_text.empty()) phone.cancel();
      break;
    case 1: phone.request("BYE"); break;
    case 2:
      phone.request("INVITE", body(), abilities());
      phone.invite_text = phone.last;  // it may be cancelled
      break;
    case 3: phone.request("UPDATE", body(), timer()); break;
    case 4: phone.request("INFO", body()); break;
    case 5: phone.request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n"); break;
    case 6: phone.request("NOTIFY", body(), "Event: refer;id=3\r\nSubscription-State: active\r\n"); break;
    default: phone.ack(body()); break;
  }
}

}  // namespace parley::tests
