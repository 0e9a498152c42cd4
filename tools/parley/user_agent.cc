// tools/parley/user_agent.cc - see user_agent.h.
#include "tools/parley/user_agent.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/id_text.h"
#include "policy/hop.h"
#include "policy/own_names.h"
#include "sip/cseq.h"
#include "sip/response_route.h"
#include "sip/writer.h"

namespace parley::client {

using sip::HeaderId;
using sip::Method;
using EditKind = sip::HeaderEdit::Kind;

namespace {

// Of a request of ours that has no Via yet: what is read of it for others stops there.
std::uint32_t cseq_in(const sip::Received& request) {
  sip::CSeq cseq;
  return sip::parse_cseq(request.head.value(HeaderId::cseq, request.bytes), cseq) ? cseq.number : 0;
}

}  // namespace

UserAgent::UserAgent(core::Pool& pool, core::Metrics& metrics, core::Random& random, core::Instant start,
                     UserAgentConfig config)
    : config_(std::move(config)),
      random_(random),
      transport_({.shard = 0, .pool = pool, .metrics = metrics, .config = config_.transport}),
      transactions_({.pool = pool,
                     .metrics = metrics,
                     .random = random,
                     .wire = transport_,
                     .config = config_.transactions,
                     .start = start}) {}

void UserAgent::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  transport_.begin(now, out);
}

const sip::Listener& UserAgent::listener() const {
  const auto& listeners = config_.transport->listeners;
  const auto found = std::find_if(listeners.begin(), listeners.end(),
                                  [this](const sip::Listener& l) { return l.transport == config_.server.transport; });
  return found == listeners.end() ? listeners.front() : *found;
}

// --- out

std::uint32_t UserAgent::send(const Request& request, const Envelope& envelope) {
  return add(write(request, envelope), request.method, {}, false);
}

std::size_t UserAgent::size_of(const Request& request) const {
  // A name of 22 letters, a tag of 16; Via with our host, a branch and rport; one Digest answer.
  const std::size_t own = write(request, {.call_id = std::string(22, 'x'), .from_tag = std::string(16, 'x')}).size();
  const std::size_t via = 5 + 12 + listener().host.size() + 6 + 8 + sip::branch_bytes + 6 + 2;
  std::size_t credentials = config_.password.empty() ? 0 : 15 + 16 + config_.user.size() + 330;
  for (const Realm& realm : realms_)
    credentials = std::max(credentials, 330 + realm.answer.nonce.size() + config_.user.size());
  return own + via + credentials;
}

std::string UserAgent::write(const Request& request, const Envelope& envelope) const {
  const std::string from = request.from + ";tag=" + envelope.from_tag;
  const std::string cseq = std::to_string(envelope.cseq) + " " + request.name;
  std::vector<sip::HeaderText> headers = {{.id = HeaderId::max_forwards, .value = "70"},
                                          {.id = HeaderId::from, .value = from},
                                          {.id = HeaderId::to, .value = request.to},
                                          {.id = HeaderId::call_id, .value = envelope.call_id},
                                          {.id = HeaderId::cseq, .value = cseq}};
  if (!service_route_.empty() && request.method != Method::register_) {
    headers.push_back({.id = HeaderId::route, .value = service_route_});
  }
  for (const sip::HeaderText& header : request.lines.headers()) headers.push_back(header);
  std::string bytes;
  sip::put_request({.method = request.name, .uri = request.uri, .headers = headers}, request.lines.body, bytes);
  return bytes;
}

std::uint32_t UserAgent::send_in(std::string text, Method method, std::string next_hop) {
  return add(std::move(text), method, std::move(next_hop), true);
}

std::uint32_t UserAgent::add(std::string text, Method method, std::string next_hop, bool in_dialog) {
  if (exchanges_.size() >= config_.exchanges_max) return 0;
  const sip::Received* const read = reader_.read(text, {});
  if (read == nullptr) return 0;
  const std::uint32_t number = next_number_++;
  Exchange& exchange = exchanges_[number];
  exchange.number = number;
  exchange.method = method;
  exchange.cseq = cseq_in(*read);
  exchange.in_dialog = in_dialog;
  exchange.next_hop = std::move(next_hop);
  exchange.text = std::move(text);
  add_credentials(exchange);
  exchange.by_tcp_first = config_.server.transport == core::Transport::udp &&
                          exchange.text.size() + 200 > config_.datagram_request_bytes_max;
  if (start(exchange)) return number;
  exchanges_.erase(number);
  return 0;
}

void UserAgent::add_credentials(Exchange& exchange) {
  exchange.credentials.clear();
  const sip::Received* const read = reader_.read(exchange.text, {});
  for (Realm& realm : realms_) {
    exchange.credentials.push_back(
        {realm.header,
         core::put_credentials(realm.answer, {config_.user, config_.password}, read->head.method_name.of(read->bytes),
                               read->head.uri.of(read->bytes), digest_, random_)});
  }
}

// To where the route leads; a name there, or nothing, means the server.
std::optional<sip::Flow> UserAgent::flow_for(std::string_view next_hop, bool tcp) {
  sip::Destination to = config_.server;
  policy::Hop hop;
  if (!next_hop.empty() && policy::literal_hop(next_hop, hop) &&
      !(hop.transport == to.transport && hop.address == to.address)) {
    to.transport = hop.transport;
    to.address = hop.address;
    to.tls_name = hop.tls_name;
  }
  if (tcp && to.transport == core::Transport::udp) to.transport = core::Transport::tcp;
  return transport_.flow_to(to);
}

bool UserAgent::start(Exchange& exchange) {
  auto flow = flow_for(exchange.next_hop, exchange.by_tcp_first);
  if (!flow) return false;
  const sip::ClientTicket ticket = transactions_.open_client(exchange.method, *flow, exchange.number, 0);
  if (!ticket.id.valid()) return false;
  exchange.transaction = ticket.id;
  return transactions_.start_client(
      ticket.id, with_via(exchange.text, *flow, ticket.branch_text(), exchange.cseq, exchange.credentials), now_.mono);
}

std::string UserAgent::with_via(std::string_view text, const sip::Flow& flow, std::string_view branch,
                                std::uint32_t cseq, const std::vector<Line>& credentials) {
  const sip::Received* const request = reader_.read(text, {});
  std::string via;
  policy::put_via(via, flow.transport, transport_.listener(flow), branch);
  via += ";rport";  // RFC 3581
  const std::string number = std::to_string(cseq) + " " + std::string(request->head.method_name.of(request->bytes));
  std::vector<sip::HeaderEdit> edits = {{EditKind::prepend, {.id = HeaderId::via, .value = via}},
                                        {EditKind::replace, {.id = HeaderId::cseq, .value = number}}};
  for (const Line& line : credentials) edits.push_back({EditKind::append, {.id = line.id, .value = line.value}});
  const std::string_view head = request->bytes.substr(0, request->head.length);
  const sip::ForwardText forward{.edits = edits, .body_bytes = static_cast<std::uint32_t>(request->body.size())};
  std::string out(sip::forward_bytes(request->head, head, forward), '\0');
  core::TextOut writer(out.data());
  sip::put_forward(writer, request->head, head, forward);
  out += request->body;
  return out;
}

void UserAgent::again(std::uint32_t number, std::uint32_t cseq) {
  const auto found = exchanges_.find(number);
  if (found == exchanges_.end()) return;
  found->second.cseq = cseq;
  found->second.final = false;
  add_credentials(found->second);
  if (!start(found->second)) exchanges_.erase(found);
}

void UserAgent::cancel(std::uint32_t number) {
  const auto found = exchanges_.find(number);
  if (found != exchanges_.end()) transactions_.cancel(found->second.transaction, now_.mono);
}

std::uint32_t UserAgent::cseq_of(std::uint32_t number) const {
  const auto found = exchanges_.find(number);
  return found == exchanges_.end() ? 0 : found->second.cseq;
}

std::vector<Line> UserAgent::credentials_of(std::uint32_t number) const {
  const auto found = exchanges_.find(number);
  return found == exchanges_.end() ? std::vector<Line>{} : found->second.credentials;
}

// R3261-8: without a transaction, on a branch of its own.
void UserAgent::ack(std::string_view text, std::string_view next_hop) {
  const auto flow = flow_for(next_hop, false);
  const sip::Received* const read = reader_.read(text, {});
  if (!flow || read == nullptr) return;
  std::array<char, 7 + core::letters64_chars> branch{};
  sip::magic_cookie.copy(branch.data(), 7);
  core::letters_encode64(random_.next(), branch.data() + 7);
  const std::uint32_t cseq = cseq_in(*read);
  (void)transport_.send(*flow, with_via(text, *flow, {branch.data(), branch.size()}, cseq, {}));
}

// --- answers

std::string UserAgent::compose(const sip::Received& request, std::uint16_t status, const Lines& lines,
                               std::string_view to_tag, bool dialog_creating) {
  const std::vector<sip::HeaderText> headers = lines.headers();
  sip::ReceivedText room;
  const sip::ResponseText text{.status = status,
                               .to_tag = request.essentials.to_tag.empty() ? to_tag : std::string_view{},
                               .copy_record_route = dialog_creating,
                               .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                               .headers = headers,
                               .body_bytes = static_cast<std::uint32_t>(lines.body.size())};
  const std::string_view head = request.bytes.substr(0, request.head.length);
  std::string out(sip::response_bytes(request.head, head, text), '\0');
  core::TextOut writer(out.data());
  sip::put_response(writer, request.head, head, text);
  out += lines.body;
  return out;
}

const sip::Received* UserAgent::request_of(sip::TransactionId server) {
  const std::string_view bytes = transactions_.request_of(server);
  return bytes.empty() ? nullptr : stored_.read(bytes, transactions_.flow_of(server));
}

std::string UserAgent::respond(sip::TransactionId server, std::uint16_t status, const Lines& lines,
                               std::string_view to_tag, bool dialog_creating) {
  const sip::Received* const request = request_of(server);
  if (request == nullptr) return {};
  std::string text = compose(*request, status, lines, to_tag, dialog_creating);
  transactions_.respond(server, status, text, now_.mono);
  return text;
}

void UserAgent::respond_again(sip::TransactionId server, std::uint16_t status, std::string_view text) {
  transactions_.respond(server, status, text, now_.mono);
}

void UserAgent::respond_without(const sip::Received& request, std::uint16_t status) {
  if (request.head.method == Method::ack) return;
  (void)transport_.send(sip::response_flow(request), compose(request, status, {}, "none", false));
}

// --- in

bool UserAgent::next(UaFact& fact) {
  fact = {};
  while (const sip::Received* const message = transport_.next()) {
    if (on_message(*message, fact)) return true;
    fact = {};
  }
  for (sip::Flow flow; transport_.next_gone(flow);) {
    transactions_.flow_failed(flow);
    fact.kind = UaFact::Kind::lost;
    fact.flow = flow;
    return true;
  }
  for (sip::TransactionFact happened; transactions_.next_fact(now_.mono, happened);) {
    if (on_fact(happened, fact)) return true;
    fact = {};
  }
  return false;
}

bool UserAgent::on_message(const sip::Received& message, UaFact& fact) {
  switch (message.verdict.kind) {
    case sip::Verdict::Kind::drop: return false;
    case sip::Verdict::Kind::respond: respond_without(message, message.verdict.status); return false;
    case sip::Verdict::Kind::accept: break;
  }
  if (!message.head.request()) return on_response(message, fact);
  const sip::RequestMatch match = transactions_.match_request(message, now_.mono);
  fact.message = &message;
  fact.flow = message.flow;
  switch (match.kind) {
    case sip::RequestMatch::Kind::absorbed:
    case sip::RequestMatch::Kind::elsewhere: return false;
    case sip::RequestMatch::Kind::ack: fact.kind = UaFact::Kind::ack; return true;
    case sip::RequestMatch::Kind::cancel: {
      const sip::TransactionId own = transactions_.open_server(message, match, 0, now_.mono);
      if (own.valid()) (void)respond(own, 200, {}, "cancelled");
      fact.kind = UaFact::Kind::cancelled;
      fact.server = match.id;
      return true;
    }
    case sip::RequestMatch::Kind::fresh: break;
  }
  if (message.head.method == Method::ack) {
    fact.kind = UaFact::Kind::ack;
    return true;
  }
  fact.server = transactions_.open_server(message, match, 0, now_.mono);
  if (!fact.server.valid()) {
    respond_without(message, 503);
    return false;
  }
  if (message.head.method == Method::cancel) {  // of nothing
    (void)respond(fact.server, 481, {}, "none");
    return false;
  }
  if (message.essentials.to_tag.empty() && !transactions_.claim(fact.server, message)) {  // R3261-4
    (void)respond(fact.server, 482, {}, "merged");
    return false;
  }
  fact.kind = UaFact::Kind::request;
  return true;
}

bool UserAgent::on_response(const sip::Received& response, UaFact& fact) {
  const auto branch = sip::read_branch(sip::branch_of(response.essentials.via));
  if (!branch || branch->shard != 0) return false;
  const sip::ResponseMatch match = transactions_.match_response(response, now_.mono);
  if (match.kind != sip::ResponseMatch::Kind::to_tu) return false;
  const auto found = exchanges_.find(static_cast<std::uint32_t>(match.owner));
  if (found == exchanges_.end()) return false;
  Exchange& exchange = found->second;
  const std::uint16_t status = response.head.status;
  fact.number = exchange.number;
  fact.message = &response;
  fact.flow = response.flow;
  fact.status = status;
  fact.kind = UaFact::Kind::response;
  if ((status == 401 || status == 407) && take_challenge(exchange, response)) {
    if (exchange.in_dialog) {
      fact.kind = UaFact::Kind::challenged;
      return true;
    }
    again(exchange.number, exchange.cseq + 1);
    if (exchanges_.contains(fact.number)) return false;
    fact.kind = UaFact::Kind::failed;
    fact.status = 503;
    return true;
  }
  if (status >= 200) {
    exchange.final = true;
    // An INVITE's 2xx may come again, or another one: its transaction says when no more can.
    if (exchange.method != Method::invite || status >= 300) exchanges_.erase(found);
  }
  return true;
}

// Whether it may go out once more (RFC 3261 section 22.2): credentials that were refused are not tried again.
bool UserAgent::take_challenge(Exchange& exchange, const sip::Received& response) {
  if (config_.password.empty()) return false;
  const bool proxy = response.head.status == 407;
  const HeaderId asked = proxy ? HeaderId::proxy_authenticate : HeaderId::www_authenticate;
  const HeaderId answer = proxy ? HeaderId::proxy_authorization : HeaderId::authorization;
  std::vector<std::string_view> values;
  for (const sip::Header* h = response.head.first(asked); h != nullptr; h = response.head.next(*h)) {
    values.push_back(h->value.of(response.bytes));
  }
  auto challenge = core::choose_challenge(values, digest_);
  if (!challenge) return false;
  constexpr std::uint8_t tries_max = 3;
  if (exchange.tries >= tries_max) return false;
  const auto known = std::find_if(realms_.begin(), realms_.end(), [&](const Realm& realm) {
    return realm.header == answer && realm.answer.realm == challenge->realm;
  });
  const bool sent = known != realms_.end() && !exchange.credentials.empty();
  // What was sent without being asked may have had an old nonce; what was asked for had not.
  if (sent && exchange.tries > 0 && !challenge->stale) return false;
  ++exchange.tries;
  if (known != realms_.end()) {
    known->answer = std::move(*challenge);
  } else {
    if (realms_.size() == realms_max) realms_.pop_front();
    realms_.push_back({answer, std::move(*challenge)});
  }
  return true;
}

bool UserAgent::on_fact(const sip::TransactionFact& happened, UaFact& fact) {
  const auto found = exchanges_.find(static_cast<std::uint32_t>(happened.owner));
  const bool server =
      happened.machine == sip::tx::Machine::invite_server || happened.machine == sip::tx::Machine::other_server;
  if (server || found == exchanges_.end()) return false;
  Exchange& exchange = found->second;
  if (!(exchange.transaction == happened.id)) return false;  // of an earlier try
  if (happened.kind == sip::TransactionFact::Kind::transport_error && exchange.by_tcp_first) {
    exchange.by_tcp_first = false;
    if (start(exchange)) return false;
  }
  fact.number = exchange.number;
  const bool told = exchange.final;
  exchanges_.erase(found);
  if (happened.kind == sip::TransactionFact::Kind::ended || told) return false;
  fact.kind = UaFact::Kind::failed;
  fact.status = happened.kind == sip::TransactionFact::Kind::timeout ? 408 : 503;
  return true;
}

void UserAgent::keep(core::Instant until) {
  if (config_.server.transport == core::Transport::udp) return;
  if (const auto flow = transport_.flow_to(config_.server)) transport_.keep_until(*flow, until);
}

}  // namespace parley::client
