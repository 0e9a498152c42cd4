// sip/transactions_client.cc - requests of ours, the responses to them, and what an INVITE brings with it: ACK, CANCEL.
#include <algorithm>

#include "core/check.h"
#include "core/text_out.h"
#include "sip/cseq.h"
#include "sip/transactions.h"
#include "sip/value.h"

namespace parley::sip {

using core::Metric;
using tx::Machine;
using tx::State;

namespace {

constexpr std::string_view max_forwards = "70";  // RFC 3261 section 8.1.1.6

// Up to the body.
std::string_view head_of(std::string_view message) {
  const std::size_t end = message.find("\r\n\r\n");
  return end == std::string_view::npos ? message : message.substr(0, end + 4);
}

}  // namespace

ClientTicket Transactions::open_client(Method method, const Flow& flow, std::uint64_t owner, std::uint64_t loop_hash) {
  CHECK(method != Method::none);
  CHECK(method != Method::ack);
  CHECK(method != Method::cancel);
  ClientTicket ticket;
  Record* const t = create(method == Method::invite ? Machine::invite_client : Machine::other_client, flow, owner);
  if (t == nullptr) return ticket;
  t->method = method;
  t->random = random_.next();
  ticket.id = t->self;
  write_branch({shard_, t->self, t->random, loop_hash}, ticket.branch);
  return ticket;
}

bool Transactions::start_client(TransactionId id, std::string_view bytes, core::Instant now) {
  Record* const t = find(id);
  CHECK(t != nullptr);
  CHECK(!tx::is_server(t->machine));
  CHECK(!t->started);
  return !begin(*t, {.now = now, .bytes = bytes}).ended;
}

Transactions::List& Transactions::connection_list(const Flow& flow) {
  const std::size_t index = flow.connection.index;
  if (index >= by_connection_.size()) by_connection_.resize(index + 1);
  return by_connection_[index];
}

// An INVITE's head is needed for its ACK and CANCEL, all of it for repetitions.
bool Transactions::send_request(Record& t, std::string_view bytes) {
  const bool repeats = !t.flow.reliable();
  if (repeats || t.machine == Machine::invite_client) {
    t.request = keep(repeats ? bytes : head_of(bytes));
    if (t.request == core::no_buffer) return false;
  }
  if (t.flow.reliable() && t.flow.connection.valid()) link(connection_list(t.flow), t);
  return wire_.send(t.flow, bytes);
}

ResponseMatch Transactions::match_response(const Received& response, core::Instant now) {
  const Essentials& e = response.essentials;
  ResponseMatch match;
  const auto name = read_branch(branch_of(e.via));
  // A record whose INVITE has ended may still have a CANCEL that waits.
  Record* t = name && name->shard == shard_ ? records_.get(name->transaction) : nullptr;
  if (t != nullptr && (tx::is_server(t->machine) || t->random != name->random)) t = nullptr;
  if (t != nullptr && t->machine == Machine::invite_client && e.cseq.method == Method::cancel) {
    t = records_.get(t->cancel);
  }
  if (t == nullptr || t->over || !t->started || t->method != e.cseq.method) {
    metrics_.add(Metric::sip_stray_responses);
    return match;
  }
  match.id = t->self;
  match.owner = t->owner;
  const bool of_cancel = t->parent.valid();
  const std::uint16_t status = response.head.status;
  const tx::Event event = status < 200   ? tx::Event::response_1xx
                          : status < 300 ? tx::Event::response_2xx
                                         : tx::Event::response_3xx_6xx;
  const Effects effects = run(*t, event, {.now = now, .response = &response});
  match.transport_error = effects.failed;
  match.kind = effects.pass && !of_cancel ? ResponseMatch::Kind::to_tu : ResponseMatch::Kind::absorbed;
  if (!effects.pass) metrics_.add(Metric::sip_absorbed_responses);
  return match;
}

// ---- ACK and CANCEL.

// A request beside the INVITE, hop by hop as it (RFC 3261 sections 9.1 and 17.1.1.3): the same URI, topmost Via, From,
// Call-ID, CSeq number and Route. Into scratch_; false when the INVITE was not one.
bool Transactions::write_beside(const Record& t, std::string_view method, std::string_view to,
                                std::string_view reason) {
  if (!read_request(t)) return false;
  const Head& head = parser_.head();
  const std::string_view bytes = view(t.request);
  std::string_view via;
  CSeq cseq;
  if (!Items(head.value(HeaderId::via, bytes)).next(via)) return false;
  if (!parse_cseq(head.value(HeaderId::cseq, bytes), cseq)) return false;
  std::array<char, 10 + 1 + 6> cseq_text;
  core::TextOut cseq_out(cseq_text.data());
  cseq_out.number(cseq.number).put(' ').put(method);

  headers_.clear();
  headers_.push_back({HeaderId::via, via});
  headers_.push_back({HeaderId::max_forwards, max_forwards});
  for (const Header* route = head.first(HeaderId::route); route != nullptr; route = head.next(*route)) {
    headers_.push_back({HeaderId::route, route->value.of(bytes)});
  }
  headers_.push_back({HeaderId::from, head.value(HeaderId::from, bytes)});
  headers_.push_back({HeaderId::to, to.empty() ? head.value(HeaderId::to, bytes) : to});
  headers_.push_back({HeaderId::call_id, head.value(HeaderId::call_id, bytes)});
  headers_.push_back({HeaderId::cseq, {cseq_text.data(), cseq_out.size()}});
  if (!reason.empty()) headers_.push_back({HeaderId::reason, reason});
  const RequestText text{.method = method, .uri = head.uri.of(bytes), .headers = headers_};
  scratch_.resize(request_bytes(text));
  core::TextOut out(scratch_.data());
  put_request(out, text);
  return true;
}

bool Transactions::send_ack(Record& t, const Received& response) {
  if (!write_beside(t, "ACK", response.head.value(HeaderId::to, response.bytes), {})) return false;
  const std::string_view ack{scratch_.data(), scratch_.size()};
  release(t.last);
  if (!t.flow.reliable()) t.last = keep(ack);
  return wire_.send(t.flow, ack);
}

bool Transactions::cancel(TransactionId id, core::Instant now, std::string_view reason) {
  Record* const t = find(id);
  if (t == nullptr || t->machine != Machine::invite_client || !t->started) return false;
  const bool waits = t->state != State::completed && t->state != State::accepted;
  if (waits && !write_beside(*t, "CANCEL", {}, reason)) return false;
  (void)run(*t, tx::Event::tu_cancel, {.now = now, .bytes = {scratch_.data(), scratch_.size()}});
  return waits;
}

// The CANCEL gets a record of its own and is found by the INVITE's branch. Without room there is no CANCEL: the INVITE
// then ends with its final response or with the timer.
void Transactions::send_cancel(Record& t, const Cause& cause) {
  std::string_view bytes = cause.bytes;  // asked for now, or kept
  if (bytes.empty()) bytes = view(t.last);
  if (bytes.empty()) {
    if (!write_beside(t, "CANCEL", {}, {})) return;
    bytes = {scratch_.data(), scratch_.size()};
  }
  Record* const c = create(Machine::other_client, t.flow, t.owner);
  if (c == nullptr) return;
  c->method = Method::cancel;
  c->parent = t.self;
  t.cancel = c->self;
  metrics_.add(Metric::sip_cancels_sent);
  (void)begin(*c, {.now = cause.now, .bytes = bytes});
  release(t.last);
}

// ---- Lost connections.

void Transactions::flow_failed(const Flow& flow) {
  if (!flow.reliable() || flow.connection.index >= by_connection_.size()) return;
  List& list = by_connection_[flow.connection.index];
  for (Record* t = list.first; t != nullptr;) {
    Record* const next = t->next;
    // The index may serve another connection by now, or another shard's.
    if (t->flow.connection == flow.connection && t->flow.shard == flow.shard) {
      unlink(*t);
      link(failed_, *t);
    }
    t = next;
  }
}

}  // namespace parley::sip
