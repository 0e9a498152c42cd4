// tests/sim/liar.cc - see client.h. Hostile acts: well-formed lies and plain garbage. None of them may harm others.
#include "tests/sim/client.h"

namespace parley::sim {

namespace {

std::string body_frame(const std::string& head, const std::string& range, const std::string& tid,
                       const std::string& body) {
  return head + (range.empty() ? "" : "Byte-Range: " + range + "\r\n") + "Content-Type: text/plain\r\n\r\n" + body +
         "\r\n-------" + tid + "$\r\n";
}

}  // namespace

void Client::lie() {
  if (!alive() || left_ || world_.faults.quiet || legs_.empty()) return;
  ++world_.journal.faults;
  Leg& leg = *legs_[rng_.next() % legs_.size()];
  const std::string tid = new_id();
  Tag& tag = world_.ledger.add_tag();
  tag.leg = &leg;
  tag.hostile = true;
  tag.message_id = "lie-" + std::to_string(tag.number);
  const std::string id_line = "Message-ID: " + tag.message_id + "\r\n";
  const std::vector<std::string> honest = leg.partner != nullptr ? relay_path(leg) : std::vector<std::string>{leg.uri};
  const std::vector<Client*>& all = world_.clients;
  const Client& victim = *all[rng_.next() % all.size()];
  const Leg& target = *victim.legs_[rng_.next() % victim.legs_.size()];
  std::vector<std::string> to;
  std::string frame;
  const std::uint64_t act = rng_.next() % 15;
  world_.journal.line("client %u lies, act %llu", number_, static_cast<unsigned long long>(act));
  switch (act) {
    case 0: case 1: {  // Byte-Ranges that are wrong
      static constexpr const char* ranges[] = {"0-5/5", "5-1/5", "1-3/5", "1-5/3", "9-13/5", "1-*/2", "x-y/z",
                                               "1-99999999999999999999/5", "2-6/6", "1-5/*", "9223372036854775807-*/*"};
      frame = body_frame(request_head(tid, "SEND", honest, leg.uri, tag) + id_line, ranges[rng_.next() % 11], tid, "12345");
      break;
    }
    case 2:  // a session that is not ours, towards somebody who does not own it
      if (target.use_path.empty()) return;
      to = {target.use_path.back(), legs_[0]->uri};
      if (rng_.coin(1, 2)) to.back() = all[rng_.next() % all.size()]->legs_[0]->uri;
      frame = body_frame(request_head(tid, "SEND", to, leg.uri, tag) + id_line, "1-5/5", tid, "12345");
      break;
    case 3:  // a session URI nobody was given
      to = {"msrp://" + place_.host + ":2855/AAAAAAAAAAAAAAAAAAAAAA;tcp", leg.uri};
      frame = body_frame(request_head(tid, "SEND", to, leg.uri, tag) + id_line, "1-5/5", tid, "12345");
      break;
    case 4:  // a relay that is not this one
      to = {"msrp://elsewhere.example:2855/abcdefghij;tcp", leg.uri};
      frame = body_frame(request_head(tid, "SEND", to, leg.uri, tag) + id_line, "1-5/5", tid, "12345");
      break;
    case 5:  // a response to nothing
      frame = "MSRP " + tid + " 200 OK\r\nTo-Path: " + honest[0] + "\r\nFrom-Path: " + leg.uri + "\r\n-------" + tid + "$\r\n";
      break;
    case 6:  // the same credentials once more
      if (last_authorization_.empty() || leg.auth_uri.empty()) return;
      to = {leg.auth_uri};
      frame = request_head(tid, "AUTH", to, leg.uri, tag) + "Authorization: " + last_authorization_ + "\r\n-------" + tid + "$\r\n";
      break;
    case 7:  // somebody else's name as the sender
      if (target.use_path.empty()) return;
      to = {target.use_path.back(), target.uri};
      frame = body_frame(request_head(tid, "SEND", to, all[rng_.next() % all.size()]->legs_[0]->uri, tag) + id_line,
                         "1-5/5", tid, "12345");
      break;
    case 8:  // a report about somebody's message, or about none
      frame = request_head(tid, "REPORT", honest, leg.uri, tag) + id_line +
              "Byte-Range: 1-5/5\r\nStatus: 000 413 no\r\n-------" + tid + "$\r\n";
      break;
    case 9:  // round and round
      if (leg.use_path.empty()) return;
      for (int n = 0; n < 6; ++n) to.push_back(leg.use_path[0]);
      to.push_back(honest.back());
      frame = body_frame(request_head(tid, "SEND", to, leg.uri, tag) + id_line, "1-5/5", tid, "12345");
      break;
    case 10:  // no way on
      to = {honest[0]};
      frame = body_frame(request_head(tid, "SEND", to, leg.uri, tag) + id_line, "1-5/5", tid, "12345");
      break;
    case 11:  // a method nobody knows
      frame = request_head(tid, "PUZZLE", honest, leg.uri, tag) + id_line + "-------" + tid + "$\r\n";
      pending_[tid] = {Pending::Kind::other, &leg, nullptr, {}, false, &tag, {}};
      control_.push_back(frame);
      pump();
      return;
    case 12:  // a dial to an address of our choice
      if (leg.use_path.empty()) return;
      to = {leg.use_path[0], "msrp://127.0.9.9:22/x" + tid + ";tcp"};
      frame = body_frame(request_head(tid, "SEND", to, leg.uri, tag) + id_line, "1-5/5", tid, "12345");
      break;
    case 13: {  // a head that can not be read, in a frame that ends: what follows on the connection is served
      static constexpr const char* heads[] = {"no colon\r\n", " folded\r\n", "X: \x01\r\n", "Message-ID: a\r\nMessage-ID: b\r\n",
                                              "Content-Type: a/b\r\nX: y\r\n"};
      frame = body_frame(request_head(tid, "SEND", honest, leg.uri, tag) + heads[rng_.next() % 5], "", tid,
                         std::string(rng_.scaled(1, 30'000), 'a'));
      break;
    }
    default:  // garbage
      for (std::uint64_t n = rng_.between(1, 300); n > 0; --n) frame += static_cast<char>(rng_.next());
      if (rng_.coin(1, 2)) frame = "MSRP " + tid + " SEND\r\n" + frame;
      if (rng_.coin(1, 4)) frame = "MSRP " + tid + " SEND\r\n" + std::string(20'000, 'a');
      break;
  }
  pending_[tid] = {Pending::Kind::other, &leg, nullptr, {}, false, &tag, {}};
  control_.push_back(std::move(frame));
  pump();
}

}  // namespace parley::sim
