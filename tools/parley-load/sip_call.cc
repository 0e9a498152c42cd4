// tools/parley-load/sip_call.cc - INVITE, ACK and BYE between the two ends of a pair (RFC 3261 sections 12 to 15).
#include <algorithm>

#include "tools/parley-load/clock.h"
#include "tools/parley-load/sip_worker.h"

namespace parley::load {
namespace {

constexpr uint32_t kAckAttempt = 255;  // the ACK to a 2xx has a branch of its own (RFC 3261 section 13.2.2.4)

// Offer and answer carry the call's number, so one that gets mixed up is seen. Always of the same length.
std::string session_description(uint64_t serial, std::string_view name) {
  std::string out = "v=0\r\no=- 0000000000 1 IN IP4 127.0.0.1\r\ns=" + std::string(name) +
                    "\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
  char* digit = out.data() + 19;
  for (int i = 0; i < 10; ++i, serial /= 10) *--digit = static_cast<char>('0' + serial % 10);
  return out;
}

}  // namespace

void SipWorker::prepare_call(SipPair& pair) {
  pair.text = request_text(pair, "INVITE");
  pair.text.rest =
      "Contact: <" + pair.sender->contact_uri +
      ">\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Type: application/sdp\r\nContent-Length: " +
      std::to_string(session_description(0, "offer").size()) + "\r\n\r\n";
}

void SipWorker::begin_call(SipPair& pair, uint64_t due_ns) {
  Flight& flight = begin_flight(SipMode::call, *pair.sender, &pair, due_ns);
  flight.step = Step::inviting;
  if (flight.dialog == nullptr) flight.dialog = std::make_unique<Dialog>();
  ++counts_.begun;
  authorize(flight, "INVITE", pair.receiver->aor);
  flight.invite = flight.attempts + 1;
  start_request(flight);
}

void SipWorker::write_call(Flight& flight) {
  SipText out(out_.open(*flight.user->link));
  if (flight.step == Step::inviting) {
    put_request(out, flight.pair->text, flight);
    out.put(session_description(flight.serial, "offer"));
  } else {
    const SipId id = id_of(flight);
    out.put("BYE ").put(flight.dialog->target).put(" SIP/2.0\r\nVia: ").put(flight.user->link->via).branch(run_, id);
    out.put("\r\n").put(flight.dialog->routes).put(flight.pair->text.before_tag.substr(2)).hex(flight.serial, 10);
    out.put("\r\nTo: ").put(flight.dialog->to).put("\r\nCall-ID: ").call_id(run_, id);
    out.put("\r\nCSeq: ").number(flight.cseq).put(" BYE\r\n").put(flight.login_line).put("Content-Length: 0\r\n\r\n");
  }
  out_.close(out.size(), {});
}

void SipWorker::write_ack(Flight& flight) {
  SipId id = id_of(flight);
  id.attempt = kAckAttempt;
  ++counts_.requests_sent;
  SipText out(out_.open(*flight.user->link));
  out.put("ACK ").put(flight.dialog->target).put(" SIP/2.0\r\nVia: ").put(flight.user->link->via).branch(run_, id);
  out.put("\r\n").put(flight.dialog->routes).put(flight.pair->text.before_tag.substr(2)).hex(flight.serial, 10);
  out.put("\r\nTo: ").put(flight.dialog->to).put("\r\nCall-ID: ").call_id(run_, id);
  out.put("\r\nCSeq: ").number(flight.invite_cseq).put(" ACK\r\nContent-Length: 0\r\n\r\n");
  out_.close(out.size(), {});
}

// Of the same transaction (RFC 3261 section 17.1.1.3).
void SipWorker::write_failure_ack(Flight& flight, const SipMessage& answer) {
  const RequestText& text = flight.pair->text;
  const SipId id = id_of(flight);
  ++counts_.requests_sent;
  SipText out(out_.open(*flight.user->link));
  out.put("ACK ").put(flight.pair->receiver->aor).put(" SIP/2.0\r\nVia: ").put(flight.user->link->via).branch(run_, id);
  out.put(text.before_tag).hex(flight.serial, 10).put("\r\nTo: ").put(answer.to).put("\r\nCall-ID: ").call_id(run_, id);
  out.put("\r\nCSeq: ").number(flight.cseq).put(" ACK\r\nContent-Length: 0\r\n\r\n");
  out_.close(out.size(), {});
}

void SipWorker::on_call_answer(Flight& flight, const SipMessage& message) {
  const bool inviting = flight.step == Step::inviting;
  if (!inviting && flight.step != Step::leaving) {  // the 200 to INVITE again
    if (message.status < 300) write_ack(flight);
    return;
  }
  if (inviting && message.status >= 300) write_failure_ack(flight, message);
  if (take_challenge(flight, message)) {
    authorize(flight, inviting ? "INVITE" : "BYE", inviting ? flight.pair->receiver->aor : flight.dialog->target);
    if (inviting) flight.invite = flight.attempts + 1;
    return start_request(flight);
  }
  if (message.status >= 300) return refused(flight, message.status);
  if (!inviting) {
    if (measuring_) teardown_.record(now_ - flight.leave_ns);
    flight.answered = true;
    flight.quiet = true;
    if (flight.acked && flight.left) finished(flight);
    return;
  }
  if (measuring_) answered_.record(now_ - flight.due_ns);
  if (message.body != session_description(flight.serial, "answer"))
    corrupt(flight, "the session description of the answer differs");
  flight.dialog->target = uri_of(message.contact);
  flight.dialog->to = message.to;
  flight.dialog->routes = routes_of(message);
  flight.invite_cseq = flight.cseq;
  flight.step = Step::holding;
  flight.quiet = true;
  flight.logins = 0;
  flight.leave_ns = now_ + static_cast<uint64_t>(options_.hold_s * 1e9);
  flight.give_up_ns = flight.leave_ns + static_cast<uint64_t>(options_.timeout_s * 1e9);
  write_ack(flight);
  if (options_.hold_s <= 0) start_bye(flight);
}

void SipWorker::start_bye(Flight& flight) {
  flight.step = Step::leaving;
  flight.leave_ns = now_;
  ++flight.cseq;
  authorize(flight, "BYE", flight.dialog->target);
  start_request(flight);
}

void SipWorker::on_call_request(Link& link, Flight& flight, const SipMessage& message) {
  const User& callee = *flight.pair->receiver;
  Dialog& dialog = *flight.dialog;
  if (callee.link != &link) return corrupt(flight, "a request for " + callee.account.name + " came to another user");
  switch (message.method) {
    case SipMethod::invite: {
      if (!first_time(flight, link, message, flight.delivered, flight.seen_via)) {
        if (!flight.acked && flight.delivered) flight.answer_resend_ns = 0;  // with the next sweep
        return;
      }
      flight.delivered = true;
      if (message.body != session_description(flight.serial, "offer"))
        corrupt(flight, "the session description of the offer differs");
      counts_.body_bytes += message.body.size();
      if (measuring_) delivery_.record(now_ - flight.due_ns);
      std::string more = "Contact: <" + callee.contact_uri + ">\r\n";
      for (size_t i = 0; i < message.record_route_count; ++i)
        more += "Record-Route: " + std::string(message.record_routes[i]) + "\r\n";
      if (options_.ring) {
        SipText ringing(out_.open(link));
        put_answer(ringing, message, "180 Ringing", "t" + run_, more, {});
        out_.close(ringing.size(), {});
      }
      more += "Content-Type: application/sdp\r\n";
      SipText out(out_.open(link));
      put_answer(out, message, "200 OK", "t" + run_, more, session_description(flight.serial, "answer"));
      if (link.datagrams) dialog.answer = out.view();
      out_.close(out.size(), {});
      flight.answer_interval_ns = kT1Ns;
      flight.answer_resend_ns = link.datagrams ? now_ + kT1Ns : UINT64_MAX;
      return;
    }
    case SipMethod::ack:
      if (flight.acked) ++counts_.repeated;  // as many ACKs as 200s
      flight.acked = true;
      flight.answer_resend_ns = UINT64_MAX;
      break;
    case SipMethod::bye:
      answer(link, message, {}, {});
      if (!first_time(flight, link, message, flight.left, flight.seen_bye_via)) return;
      flight.left = true;
      break;
    default:
      ++counts_.stray;
      if (message.method != SipMethod::other) answer(link, message, {}, {});
      return;
  }
  if (flight.answered && flight.acked && flight.left) finished(flight);
}

void SipWorker::sweep_call(Flight& flight) {
  if (flight.step == Step::holding && now_ >= flight.leave_ns) start_bye(flight);
  if (!flight.delivered || flight.acked || now_ < flight.answer_resend_ns) return;
  Link& link = *flight.pair->receiver->link;
  SipText out(out_.open(link));
  out.put(flight.dialog->answer);
  out_.close(out.size(), {});
  ++counts_.answers_again;
  flight.answer_interval_ns = std::min(2 * flight.answer_interval_ns, kT2Ns);
  flight.answer_resend_ns = now_ + flight.answer_interval_ns;
}

}  // namespace parley::load
