// tools/parley-load/sip_register.cc - REGISTER with digest, and OPTIONS: requests that only the server answers.
#include "tools/parley-load/sip_worker.h"

namespace parley::load {

void SipWorker::begin_registration(User& user, bool setup, uint64_t due_ns) {
  Flight& flight = begin_flight(SipMode::registration, user, nullptr, due_ns);
  flight.setup = setup;
  flight.cseq = user.cseq + 1;
  user.busy = true;
  if (!setup) ++counts_.begun;
  authorize(flight, "REGISTER", registrar_uri_);
  start_request(flight);
}

void SipWorker::write_register(Flight& flight) {
  User& user = *flight.user;
  user.cseq = flight.cseq;
  SipText out(out_.open(*user.link));
  out.put("REGISTER ").put(registrar_uri_).put(" SIP/2.0\r\nVia: ").put(user.link->via).branch(run_, id_of(flight));
  out.put("\r\nMax-Forwards: 70\r\nFrom: <").put(user.aor).put(">;tag=f").hex(flight.serial, 10);
  out.put("\r\nTo: <").put(user.aor).put(">\r\nCall-ID: ").put(user.call_id).put("\r\nCSeq: ").number(flight.cseq);
  out.put(" REGISTER\r\nContact: <").put(user.contact_uri).put(">").put(user.instance).put("\r\n");
  if (options_.outbound) out.put("Supported: path, outbound\r\n");
  out.put("Expires: ").number(options_.expires_s).put("\r\n");
  out.put(flight.login_line).put("Content-Length: 0\r\n\r\n");
  out_.close(out.size(), {});
}

void SipWorker::begin_options(User& user, uint64_t due_ns) {
  Flight& flight = begin_flight(SipMode::options, user, nullptr, due_ns);
  user.busy = true;
  ++counts_.begun;
  authorize(flight, "OPTIONS", registrar_uri_);
  start_request(flight);
}

void SipWorker::write_options(Flight& flight) {
  const User& user = *flight.user;
  const SipId id = id_of(flight);
  SipText out(out_.open(*user.link));
  out.put("OPTIONS ").put(registrar_uri_).put(" SIP/2.0\r\nVia: ").put(user.link->via).branch(run_, id);
  out.put("\r\nMax-Forwards: 70\r\nFrom: <").put(user.aor).put(">;tag=f").hex(flight.serial, 10);
  out.put("\r\nTo: <").put(registrar_uri_).put(">\r\nCall-ID: ").call_id(run_, id);
  out.put("\r\nCSeq: ").number(flight.cseq).put(" OPTIONS\r\nAccept: application/sdp\r\n");
  out.put(flight.login_line).put("Content-Length: 0\r\n\r\n");
  out_.close(out.size(), {});
}

void SipWorker::on_simple_answer(Flight& flight, const SipMessage& message) {
  if (take_challenge(flight, message)) {
    authorize(flight, flight.kind == SipMode::registration ? "REGISTER" : "OPTIONS", registrar_uri_);
    return start_request(flight);
  }
  if (message.status >= 300) return refused(flight, message.status);
  flight.answered = true;
  // A registration is one only when the binding is listed (RFC 3261 section 10.3 step 8).
  if (flight.kind == SipMode::registration && message.head.find(flight.user->contact_uri) == std::string_view::npos) {
    ++counts_.corrupted;
    flight.spoiled = true;
    note("a 200 to REGISTER without the Contact: " + std::string(message.head.substr(0, 400)));
    if (flight.setup) fail_setup("a 200 to REGISTER without the Contact");
  }
  if (measuring_) answered_.record(now_ - flight.due_ns);
  finished(flight);
}

}  // namespace parley::load
