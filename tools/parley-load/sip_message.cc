// tools/parley-load/sip_message.cc - MESSAGE from the sender to the receiver of a pair (RFC 3428).
#include "tools/parley-load/sip_worker.h"

namespace parley::load {

void SipWorker::prepare_message(SipPair& pair) {
  pair.text = request_text(pair, "MESSAGE");
  pair.text.rest = "Content-Type: text/plain\r\nContent-Length: " + std::to_string(options_.size_bytes) + "\r\n\r\n";
}

void SipWorker::begin_message(SipPair& pair, uint64_t due_ns) {
  Flight& flight = begin_flight(SipMode::message, *pair.sender, &pair, due_ns);
  ++counts_.begun;
  authorize(flight, "MESSAGE", pair.receiver->aor);
  start_request(flight);
}

void SipWorker::write_message(Flight& flight) {
  SipText out(out_.open(*flight.user->link));
  put_request(out, flight.pair->text, flight);
  out_.close(out.size(), pattern_.piece(message_seed(flight.pair->index, flight.serial), 0, options_.size_bytes));
}

void SipWorker::on_message_answer(Flight& flight, const SipMessage& message) {
  if (take_challenge(flight, message)) {
    authorize(flight, "MESSAGE", flight.pair->receiver->aor);
    return start_request(flight);
  }
  if (flight.answered) return void(++counts_.stray);
  if (message.status >= 300) return refused(flight, message.status);
  flight.answered = true;
  flight.quiet = true;
  if (measuring_) answered_.record(now_ - flight.due_ns);
  if (flight.delivered) finished(flight);
}

void SipWorker::on_message_request(Link& link, Flight& flight, const SipMessage& message) {
  answer(link, message, {}, {});
  if (!first_time(flight, link, message, flight.delivered, flight.seen_via)) return;
  flight.delivered = true;
  const User& receiver = *flight.pair->receiver;
  const std::string_view uri = message.uri;
  const std::string& name = receiver.account.name;
  if (receiver.link != &link || uri.substr(0, 4) != "sip:" || uri.substr(4, name.size()) != name ||
      uri.substr(4 + name.size(), 1) != "@") {
    corrupt(flight, "delivered to '" + std::string(uri) + "' instead of " + name);
  } else if (message.body.size() != options_.size_bytes) {
    corrupt(flight, "body of " + std::to_string(message.body.size()) + " bytes");
  } else {
    const size_t same = pattern_.first_difference(message_seed(flight.pair->index, flight.serial), 0, message.body);
    if (same < message.body.size()) corrupt(flight, "body differs at byte " + std::to_string(same + 1));
  }
  counts_.body_bytes += message.body.size();
  if (measuring_ && !flight.spoiled) delivery_.record(now_ - flight.due_ns);
  if (flight.answered) finished(flight);
}

}  // namespace parley::load
