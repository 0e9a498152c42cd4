// tools/parley-load/chat_sip.cc - the signalling of all members (RFC 3261, RFC 4579, RFC 6665). Over TCP nothing is
// sent again but the ACK of a 200 that comes again.
#include <algorithm>
#include <charconv>

#include "tools/parley-load/chat_worker.h"

namespace parley::load {
namespace {

std::string hex(uint64_t value, int digits) {
  char text[17];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

std::string host_of(const Address& address) { return address.host == "::1" ? "[::1]" : address.host; }

std::string instance_of(uint32_t member) { return "<urn:uuid:00000000-0000-4000-8000-" + hex(member, 12) + ">"; }

std::string_view line_of(std::string_view sdp, std::string_view start) {
  const size_t at = sdp.find(start);
  if (at == std::string_view::npos) return {};
  sdp.remove_prefix(at + start.size());
  return sdp.substr(0, sdp.find_first_of("\r\n"));
}

}  // namespace

// run, 'm', member (6 hex), attempt (4), kind ('i' or 's')
std::string ChatWorker::call_id(const ChatMember& member, char kind) const {
  return run_ + "m" + hex(member.index, 6) + hex(member.attempts, 4) + kind;
}

void ChatWorker::put_request(std::string& out, ChatMember& member, std::string_view method, const std::string& uri,
                             const std::string& to, std::string_view call_id, uint32_t cseq) {
  out.append(method).append(" ").append(uri).append(" SIP/2.0\r\nVia: ").append(via_).append(call_id);
  out.append(std::to_string(cseq)).append(method == "ACK" ? "INVITE" : method);
  out.append("\r\nMax-Forwards: 70\r\nFrom: <").append(member.aor).append(">;tag=f").append(call_id);
  out.append("\r\nTo: ").append(to).append("\r\nCall-ID: ").append(call_id);
  out.append("\r\nCSeq: ").append(std::to_string(cseq)).append(" ").append(method).append("\r\n");
  if (method == "ACK") return;
  if (options_.asserted) out.append("P-Asserted-Identity: <").append(member.aor).append(">\r\n");
}

bool ChatWorker::log_in(ChatMember& member, const SipMessage& answer) {
  if (++member.logins > kLoginsMax) return false;
  std::vector<std::string_view> values;
  for (size_t i = 0; i < answer.challenge_count; ++i) values.push_back(answer.challenges[i]);
  member.challenge = choose_challenge(values);
  member.nonce_count = 0;
  return member.challenge.has_value();
}

void ChatWorker::authorize(std::string& out, ChatMember& member, std::string_view method, const std::string& uri) {
  if (!member.challenge) return;
  out.append("Proxy-Authorization: ");
  out.append(authorization(*member.challenge, {member.name, options_.password}, method, uri, "0a4f113b",
                           ++member.nonce_count));
  out.append("\r\n");
}

std::string ChatWorker::description(const ChatMember& member) const {
  const bool v6 = contact_.host == "::1";
  return "v=0\r\no=- " + std::to_string(member.attempts) + " 1 IN " + (v6 ? "IP6 ::1" : "IP4 127.0.0.1") +
         "\r\ns=-\r\nc=IN " + (v6 ? "IP6 ::1" : "IP4 127.0.0.1") + "\r\nt=0 0\r\nm=message " + contact_.port +
         (options_.tls ? " TCP/TLS/MSRP *" : " TCP/MSRP *") +
         "\r\na=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=setup:active\r\na=chatroom:nickname "
         "private-messages\r\na=path:" +
         member.own_uri + "\r\n";
}

void ChatWorker::invite(ChatMember& member) {
  member.state = ChatMember::State::inviting;
  ++joining_now_;
  ++member.attempts;
  member.logins = 0;
  member.cseq = 1;
  member.invited_ns = now_;
  member.to = "<" + member.room->uri + ">";
  member.routes.clear();
  member.documents_full = 0;
  member.user_count.clear();
  member.session_id = run_ + hex(member.index, 6) + hex(member.attempts, 4);
  member.own_uri = (options_.tls ? "msrps://" : "msrp://") + host_of(contact_) + ":" + contact_.port + "/" +
                   member.session_id + ";tcp";
  write_invite(member);
}

void ChatWorker::write_invite(ChatMember& member) {
  std::string out;
  const std::string sdp = description(member);
  put_request(out, member, "INVITE", member.room->uri, member.to, call_id(member, 'i'), member.cseq);
  authorize(out, member, "INVITE", member.room->uri);
  out += "Contact: <sip:" + member.name + "@" + host_of(contact_) + ":" + contact_.port +
         ";transport=tcp>;+g.oma.sip-im;+sip.instance=\"" + instance_of(member.index) +
         "\"\r\nAccept-Contact: *;+g.oma.sip-im\r\nAllow: INVITE, ACK, BYE, CANCEL, NOTIFY, OPTIONS\r\n" +
         "User-Agent: IM-client/OMA1.0 parley-load\r\nContent-Type: application/sdp\r\nContent-Length: " +
         std::to_string(sdp.size()) + "\r\n\r\n" + sdp;
  send(sip_of(member), out);
}

void ChatWorker::leave(ChatMember& member) {
  if (member.state == ChatMember::State::in) is_out(member);
  member.state = ChatMember::State::leaving;
  member.logins = 0;
  std::string out;
  put_request(out, member, "BYE", member.target, member.to, call_id(member, 'i'), ++member.cseq);
  authorize(out, member, "BYE", member.target);
  send(sip_of(member), out + member.routes + "Content-Length: 0\r\n\r\n");
}

void ChatWorker::subscribe(ChatMember& member) {
  std::string out;
  put_request(out, member, "SUBSCRIBE", member.target, "<" + member.room->uri + ">", call_id(member, 's'),
              ++member.subscription_cseq);
  authorize(out, member, "SUBSCRIBE", member.target);
  out += "Contact: <sip:" + member.name + "@" + host_of(contact_) + ":" + contact_.port +
         ";transport=tcp>\r\nEvent: conference\r\nAccept: application/conference-info+xml\r\nExpires: "
         "3600\r\nContent-Length: 0\r\n\r\n";
  send(sip_of(member), out);
}

// What a member is told of its room; `top` is the document up to its users.
void ChatWorker::see(ChatMember& member, std::string_view top, bool full) {
  if (full) {
    if (++member.documents_full > 1) ++counts_.full_again;
    counts_.full_most = std::max(counts_.full_most, member.documents_full);
  }
  constexpr std::string_view name = "<user-count>";
  const size_t at = top.find(name);
  if (at == std::string_view::npos) return;
  const std::string_view rest = top.substr(at + name.size());
  member.user_count = rest.substr(0, rest.find('<'));
}

void ChatWorker::on_sip(ChatLink& link, const SipMessage& message) {
  message.method == SipMethod::response ? on_sip_answer(message) : on_server_request(link, message);
}

void ChatWorker::on_sip_answer(const SipMessage& message) {
  const std::string_view id = message.call_id;
  uint32_t index = 0;
  uint32_t attempt = 0;
  if (id.size() != 20 || !id.starts_with(run_)) return;
  std::from_chars(id.data() + 9, id.data() + 15, index, 16);
  std::from_chars(id.data() + 15, id.data() + 19, attempt, 16);
  if (index >= members_.size() || message.status < 200) return;
  ChatMember& member = *members_[index];
  if (message.cseq.ends_with("INVITE")) return on_invite_answer(member, message, attempt);
  if (attempt != member.attempts) return;
  const bool challenged = message.status == 401 || message.status == 407;
  if (message.cseq.ends_with("BYE")) {
    if (challenged && log_in(member, message)) return leave(member);
    if (message.status >= 300) ++statuses_[message.status];
    ++counts_.leaves;
    unwatch(member.link);
    member.link.stream.close();
    member.link.established = false;
    member.link.carry.clear();
    member.link.waiting.clear();
    member.partial.clear();
    member.state = ChatMember::State::out;
    member.next.assign(options_.senders, kLoose);
    if (!ending_ && measuring_) invite(member);
    return;
  }
  if (challenged && log_in(member, message)) return subscribe(member);
  if (message.status >= 300) {
    ++statuses_[message.status];
    note(member.name + ": SUBSCRIBE was answered " + std::to_string(message.status));
  }
}

void ChatWorker::on_invite_answer(ChatMember& member, const SipMessage& message, uint32_t attempt) {
  const std::string uri = message.status < 300 ? std::string(uri_of(message.contact)) : member.room->uri;
  const bool current = attempt == member.attempts && member.state == ChatMember::State::inviting;
  std::string ack;
  uint32_t cseq = 0;
  std::from_chars(message.cseq.data(), message.cseq.data() + message.cseq.size(), cseq);
  const std::string routes = message.status < 300 ? routes_of(message) : std::string();
  put_request(ack, member, "ACK", uri, std::string(message.to), message.call_id, cseq);
  send(sip_of(member), ack + routes + "Content-Length: 0\r\n\r\n");
  if (!current || cseq != member.cseq) return;
  if ((message.status == 401 || message.status == 407) && log_in(member, message)) {
    ++member.cseq;
    return write_invite(member);
  }
  if (message.status >= 300) {
    --joining_now_;
    ++counts_.join_errors;
    ++statuses_[message.status];
    member.state = ChatMember::State::out;
    const std::string why = member.name + ": INVITE was answered " + std::to_string(message.status);
    note(why);
    if (begin_ns_ == 0) fail_setup(why + "\n" + std::string(message.head));
    return;
  }
  member.to = message.to;
  member.target = uri;
  member.routes = routes;
  member.peer_path = line_of(message.body, "a=path:");
  connect(member);
}

void ChatWorker::on_server_request(ChatLink& link, const SipMessage& message) {
  if (message.method == SipMethod::ack) return;
  char head[4096];
  SipText out(head);
  std::string_view status = "200 OK";
  const std::string_view id = message.call_id;
  uint32_t index = 0;
  uint32_t attempt = 0;
  if (id.size() == 20 && id.starts_with(run_)) {
    std::from_chars(id.data() + 9, id.data() + 15, index, 16);
    std::from_chars(id.data() + 15, id.data() + 19, attempt, 16);
  }
  const bool known = attempt != 0 && index < members_.size();
  if (message.method == SipMethod::bye) {
    if (!known) {
      status = "481 Call/Transaction Does Not Exist";
    } else if (ChatMember& member = *members_[index];
               attempt == member.attempts && member.state == ChatMember::State::in && !ending_) {
      if (member.once_stalled) {
        ++counts_.stalled_closed;
        member.closed = true;
      } else {
        ++counts_.expelled;
        note(member.name + " was expelled");
      }
      is_out(member);
      unwatch(member.link);
      member.link.stream.close();
      member.link.established = false;
    }
  } else if (message.cseq.ends_with("NOTIFY")) {
    ++counts_.notifies;
    counts_.notify_bytes += message.body.size();
    // The document's own state, before any user's.
    const std::string_view top = message.body.substr(0, message.body.find("<users"));
    const bool full = top.find("state=\"full\"") != std::string_view::npos;
    counts_.notifies_full += full;
    for (size_t at = top.size(); (at = message.body.find("<user ", at)) != std::string_view::npos; at += 6)
      ++counts_.notify_users;
    if (known && attempt == members_[index]->attempts) see(*members_[index], top, full);
  } else if (message.method == SipMethod::invite) {
    status = "488 Not Acceptable Here";
  }
  put_answer(out, message, status, "g", {}, {});
  send(link, out.view());
}

}  // namespace parley::load
