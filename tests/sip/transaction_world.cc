// tests/sip/transaction_world.cc - see transaction_world.h.
#include "tests/sip/transaction_world.h"

namespace parley::tests {

core::Address address(std::string_view text) { return core::parse_address(text).value(); }

sip::Flow udp_flow(std::string_view remote) {
  return {.transport = core::Transport::udp, .shard = 3, .listener = 1, .connection = {}, .remote = address(remote)};
}

sip::Flow tcp_flow(std::uint32_t index, std::string_view remote) {
  return {.transport = core::Transport::tcp,
          .shard = 3,
          .listener = 2,
          .connection = {index, 1},
          .remote = address(remote)};
}

Message::Message(std::string text, const sip::Flow& flow) : bytes_(std::move(text)), flow_(flow) {
  EXPECT_EQ(parser_.parse(bytes_, {}), sip::Progress::done) << bytes_;
  const sip::Carrier carrier{.stream = flow.reliable(), .body_bytes = bytes_.size() - parser_.head().length};
  verdict_ = sip::judge(parser_.head(), bytes_, carrier, essentials_);
  EXPECT_EQ(verdict_.kind, sip::Verdict::Kind::accept) << verdict_.reason << "\n" << bytes_;
}

sip::Received Message::received() const {
  return {.flow = flow_,
          .head = parser_.head(),
          .bytes = bytes_,
          .body = std::string_view(bytes_).substr(parser_.head().length),
          .verdict = verdict_,
          .essentials = essentials_};
}

std::string request_text(const RequestFields& f) {
  return f.method + ' ' + f.uri + " SIP/2.0\r\nVia: " + f.via + "\r\nMax-Forwards: 70\r\n" + f.routes +
         "From: <sip:alice@example.com>" + (f.from_tag.empty() ? "" : ";tag=" + f.from_tag) +
         "\r\nTo: <sip:bob@example.org>" + (f.to_tag.empty() ? "" : ";tag=" + f.to_tag) + "\r\nCall-ID: " + f.call_id +
         "\r\nCSeq: " + f.cseq + ' ' + f.method + "\r\nContent-Length: " + std::to_string(f.body.size()) + "\r\n\r\n" +
         f.body;
}

std::string response_text(std::string_view request, std::uint16_t status, std::string_view to_tag) {
  sip::HeadParser parser;
  EXPECT_EQ(parser.parse(request, {}), sip::Progress::done);
  const sip::ResponseText text{.status = status, .reason = {}, .to_tag = to_tag};
  std::string out(sip::response_bytes(parser.head(), request, text), '?');
  core::TextOut writer(out.data());
  sip::put_response(writer, parser.head(), request, text);
  return out;
}

std::string start_of(std::string_view bytes) {
  const std::string_view first = bytes.substr(0, bytes.find(' '));
  return std::string(first == "SIP/2.0" ? bytes.substr(8, 3) : first);
}

bool FakeWire::send(const sip::Flow& flow, std::string_view message) {
  if (dead && dead(flow)) return false;
  sent.push_back({flow, std::string(message)});
  if (noted) noted(start_of(message));
  return true;
}

std::optional<sip::Flow> FakeWire::reopen(const sip::Flow& to, std::string_view host) {
  reopened_for = host;
  return to;
}

World::World(const sip::TransactionConfig& config, std::uint64_t heap_bytes_max)
    : pool({.small_count = 0, .large_count = 0, .arena_count = 1, .heap_bytes_max = heap_bytes_max}),
      random(core::Seed{1, 2, 3}),
      transactions({.pool = pool, .metrics = metrics, .random = random, .wire = wire, .shard = 3, .config = config}) {
  wire.noted = [this](const std::string& what) { note(what); };
}

std::int64_t World::ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

void World::note(const std::string& what) { log.push_back(std::to_string(ms()) + ' ' + what); }

void World::drain() {
  for (sip::TransactionFact fact; transactions.next_fact(now, fact);) {
    facts.push_back(fact);
    note(fact.kind == sip::TransactionFact::Kind::timeout           ? "timeout"
         : fact.kind == sip::TransactionFact::Kind::transport_error ? "transport error"
                                                                    : "ended");
  }
}

void World::run_to(std::int64_t target_ms) {
  const core::Instant target{std::chrono::milliseconds(target_ms)};
  while (transactions.next_deadline() <= target) {
    now = std::max(now, transactions.next_deadline());
    drain();
  }
  now = std::max(now, target);
}

sip::RequestMatch World::match(const std::string& text, const sip::Flow& flow) {
  const Message message(text, flow);
  return transactions.match_request(message.received(), now);
}

sip::TransactionId World::open(const std::string& text, const sip::Flow& flow, std::uint64_t owner) {
  const Message message(text, flow);
  const sip::RequestMatch found = transactions.match_request(message.received(), now);
  EXPECT_TRUE(found.kind == sip::RequestMatch::Kind::fresh || found.kind == sip::RequestMatch::Kind::cancel);
  return transactions.open_server(message.received(), found, owner, now);
}

sip::Responded World::respond(sip::TransactionId id, std::uint16_t status, std::string_view to_tag) {
  return transactions.respond(id, status, response_text(transactions.request_of(id), status, to_tag), now);
}

bool World::claim(sip::TransactionId id, const std::string& text) {
  const Message message(text, udp_flow());
  return transactions.claim(id, message.received());
}

World::Client World::start(RequestFields fields, const sip::Flow& flow, std::uint64_t owner) {
  const sip::ClientTicket ticket =
      transactions.open_client(sip::method_of(fields.method), flow, owner, 0x0123456789abcdefULL);
  EXPECT_TRUE(ticket.id.valid());
  fields.via = "SIP/2.0/" + std::string(flow.reliable() ? "TCP" : "UDP") +
               " us.example.net;branch=" + std::string(ticket.branch_text()) + ";rport";
  Client client{ticket.id, request_text(fields)};
  client.started = transactions.start_client(client.id, client.bytes, now);
  return client;
}

sip::ResponseMatch World::receive(const std::string& response, const sip::Flow& flow) {
  const Message message(response, flow);
  return transactions.match_response(message.received(), now);
}

sip::ResponseMatch World::answer(const Client& client, std::uint16_t status, std::string_view to_tag) {
  return receive(response_text(client.bytes, status, to_tag));
}

}  // namespace parley::tests
