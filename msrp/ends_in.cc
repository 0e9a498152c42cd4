// msrp/ends_in.cc - what arrives for sessions that end here, as facts (RFC 4975 section 7.3, RFC 7701 section 7.1).
#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/check.h"
#include "msrp/links.h"

namespace parley::msrp {

using core::Metric;

namespace {

constexpr std::size_t kept_facts_max = 1024;

// "000 200 OK". 0: another namespace, or no number (RFC 4975 section 7.1.2).
std::uint16_t status_in(std::string_view text) {
  if (!text.starts_with("000 ")) return 0;
  std::uint16_t status = 0;
  const auto parsed = std::from_chars(text.data() + 4, text.data() + text.size(), status);
  return parsed.ec == std::errc{} && status >= 100 && status <= 999 ? status : std::uint16_t{0};
}

// What stands between the quotes (R7701-3); without quotes it is taken as it is (T-75). False: not to be read.
bool unquote(std::string_view text, std::string& out) {
  out.clear();
  if (text.empty() || text.front() != '"') {
    out.assign(text);
    return true;
  }
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && ++at == text.size()) return false;
    out += text[at];
  }
  return at + 1 == text.size();
}

}  // namespace

// --- facts -----------------------------------------------------------------------------------------------------------

Ends::Queued& Ends::add_fact(EndFact::Kind kind, EndHandle end) {
  if (facts_count_ == facts_.size()) facts_.push_back(std::make_unique<Queued>());
  Queued& queued = *facts_[facts_count_++];
  queued.fact = {};
  queued.fact.kind = kind;
  queued.fact.end = end;
  return queued;
}

bool Ends::next_fact(EndFact& fact) {
  if (current_body_.buffer != core::no_buffer) links_->pool().release(current_body_.buffer);
  current_body_ = {};
  while (facts_pulled_ < facts_count_) {
    Queued& queued = *facts_[facts_pulled_++];
    const End* end = ends_.get(queued.fact.end);
    if (end == nullptr) {  // closed meanwhile
      if (queued.fact.body.buffer != core::no_buffer) links_->pool().release(queued.fact.body.buffer);
      continue;
    }
    queued.fact.owner = end->owner;
    fact = queued.fact;
    current_body_ = fact.body;
    return true;
  }
  facts_count_ = facts_pulled_ = 0;
  return false;
}

bool Ends::finish() {
  // What a connection that ended last left behind waits for the next step.
  if (facts_pulled_ != facts_count_) return true;
  facts_count_ = facts_pulled_ = 0;
  if (facts_.size() > kept_facts_max) facts_.resize(kept_facts_max);
  return false;
}

EndToken Ends::make_token(Conn& conn, const End& end, const Head& head, std::string_view bytes) const {
  EndToken token;
  token.end_ = end.self;
  token.conn_ = conn.self;
  const std::string_view tid = head.tid.of(bytes);
  std::copy(tid.begin(), tid.end(), token.tid_.begin());
  token.tid_length_ = static_cast<std::uint8_t>(tid.size());
  token.method_ = head.method;
  token.failure_ = head.method == Method::send ? head.failure : FailureReport::yes;
  if (conn.is_pipe() && head.method == Method::send) {
    const std::string_view id = head.message_id.of(bytes);
    std::copy(id.begin(), id.end(), token.report_id_.begin());
    token.report_id_length_ = static_cast<std::uint8_t>(id.size());
    token.start_ = head.range.start;
  }
  return token;
}

// --- SEND ------------------------------------------------------------------------------------------------------------

std::uint32_t Ends::on_send(Conn& conn, End& end, const Head& head, std::string_view bytes, core::Slice rest) {
  if (head.has_range && range_contradicts_itself(head.range)) {
    links_->count(Metric::msrp_range_bad);
    refuse(conn, end, head, bytes, 400);
    return 0;
  }
  if (end.holds != 0 && !end.pauses) {
    links_->count(Metric::msrp_ends_held_refused);
    refuse(conn, end, head, bytes, 413);
    return 0;
  }
  EndToken token = make_token(conn, end, head, bytes);
  const auto tell = [&](core::Slice body, bool last, Flag flag) {
    Queued& queued = add_fact(EndFact::Kind::piece, end.self);
    EndFact& fact = queued.fact;
    fact.token = token;
    fact.first = true;
    fact.last = last;
    fact.flag = flag;
    queued.head = head;
    fact.head = &queued.head;
    // The head of a frame that is here as a whole usually lies before its body in the receive buffer, which stays until
    // the step has ended.
    if (!in_early_ && rest.length != 0 && links_->pool().at(rest) == bytes.data() + bytes.size()) {
      fact.head_bytes = bytes;
    } else {
      queued.text.assign(bytes);
      fact.head_bytes = queued.text;
    }
    fact.message_id = head.message_id.of(fact.head_bytes);
    fact.start = head.range.start;
    fact.total = head.range.total;
    if (body.length != 0) {
      fact.body = body;
      links_->pool().retain(body.buffer);
    }
    return &fact;
  };
  if (!head.has_body) {
    if (head.flag == Flag::abort && head.message_id.present()) {
      tell({}, true, head.flag);
    } else {
      answer(token, 200);  // binds, or keeps alive (R4975-4)
    }
    return 0;
  }
  BodyScan scan;
  scan.start(head.tid.of(bytes));
  const BodyScan::Result result = scan.feed(links_->pool().view(rest));
  const core::Slice body = rest.part(0, result.body);
  if (result.ended) {
    if (body.length == 0 && result.flag == Flag::end && head.range.start == 1) {
      answer(token, 200);  // T-58
      return result.consumed;
    }
    links_->count(Metric::msrp_ends_chunks_in);
    links_->count(Metric::msrp_ends_bytes_in, body.length);
    EndFact* fact = tell(body, true, result.flag);
    fact->total = total_after(head.range, body.length, result.flag);
    return result.consumed;
  }
  Inbound& in = links_->take_inbound(conn, head.tid.of(bytes));
  in.scan = scan;
  in.discard = false;
  in.end = end.self;
  in.token = token;
  in.head = head;
  in.headers.assign(bytes);
  in.failure = head.failure;
  in.range = head.range;
  on_piece(in, {}, body, nullptr);
  return result.consumed;
}

void Ends::on_piece(Inbound& in, std::string_view copied, core::Slice shared, const Flag* flag) {
  const std::uint64_t fresh = copied.size() + shared.length;
  const std::uint64_t before = in.received;
  in.received += fresh;
  End* end = ends_.get(in.end);
  if (in.discard || end == nullptr || (fresh == 0 && flag == nullptr)) return;
  core::Pool& pool = links_->pool();
  core::Slice body = shared;
  if (!copied.empty()) {
    // Held back as the start of an end-line that it was not: at most 43 bytes, and rare.
    body = {pool.take_heap(static_cast<std::uint32_t>(fresh)), 0, static_cast<std::uint32_t>(fresh)};
    if (body.buffer == core::no_buffer) {
      in.discard = true;
      links_->out_of_memory(*in.source);
      return;
    }
    char* at = std::copy(copied.begin(), copied.end(), pool.data(body.buffer));
    if (shared.length != 0) std::memcpy(at, pool.at(shared), shared.length);
  } else if (shared.length != 0) {
    pool.retain(shared.buffer);
  }
  if (flag != nullptr && in.received == 0 && *flag == Flag::end && in.range.start == 1) {
    answer(in.token, 200);  // T-58
    return;
  }
  Queued& queued = add_fact(EndFact::Kind::piece, in.end);
  EndFact& fact = queued.fact;
  fact.token = in.token;
  fact.first = !std::exchange(in.told, true);
  fact.last = flag != nullptr;
  if (flag != nullptr) fact.flag = *flag;
  queued.head = in.head;
  queued.text.assign(in.headers);
  fact.head = &queued.head;
  fact.head_bytes = queued.text;
  fact.message_id = in.head.message_id.of(fact.head_bytes);
  fact.start = in.range.start + before;
  fact.total = flag != nullptr ? total_after(in.range, in.received, *flag) : in.range.total;
  fact.body = fresh != 0 ? body : core::Slice{};
  links_->count(Metric::msrp_ends_bytes_in, fresh);
  if (flag != nullptr) links_->count(Metric::msrp_ends_chunks_in);
}

// The rest of the frame that is arriving for this session is read and dropped.
void Ends::drop_rest(Conn& conn, EndHandle end) {
  Inbound* in = conn.inbound;
  if (in == nullptr || in->end != end || in->discard) return;
  in->discard = true;
  answer(in->token, 481);
}

void Ends::refuse(Conn& conn, End& end, const Head& head, std::string_view bytes, std::uint16_t status) {
  EndToken token = make_token(conn, end, head, bytes);
  answer(token, status);
  if (head.has_body) (void)links_->take_inbound(conn, head.tid.of(bytes));  // read to its end, and that is all
}

void Ends::answer(EndToken& token, std::uint16_t status) {
  if (token.tid_length_ == 0) return;
  const std::uint8_t length = std::exchange(token.tid_length_, std::uint8_t{0});
  const std::string_view tid(token.tid_.data(), length);
  Conn* conn = links_->live(token.conn_);
  End* end = ends_.get(token.end_);
  if (conn == nullptr || end == nullptr) return;
  if (status != 200) {
    links_->count(Metric::msrp_ends_refused);
    Inbound* in = conn->inbound;
    if (in != nullptr && in->end == end->self && tid == std::string_view(in->tid.data(), in->tid_length)) in->discard = true;
  }
  if (token.method_ != Method::send) {
    // To other methods the response goes back the whole way (R4975-9).
    std::string paths("To-Path: ");
    paths.append(end->in_from()).append("\r\nFrom-Path: ").append(end->in_to()).append("\r\n");
    links_->respond(*conn, tid, status, paths);
    return;
  }
  if (token.failure_ == FailureReport::no || (token.failure_ == FailureReport::partial && status == 200)) return;
  if (!conn->is_pipe()) {
    links_->respond(*conn, tid, status, end->response_paths);
  } else if (status != 200) {
    // The shard that took it has answered 200: what is wrong is reported (R4976-10).
    const std::string_view id(token.report_id_.data(), token.report_id_length_);
    links_->report(*conn, end->out_paths, id, status, {token.start_, ByteRange::unknown, ByteRange::unknown});
  }
}

// --- other requests ---------------------------------------------------------------------------------------------------

void Ends::on_other(Conn& conn, End& end, const Head& head, std::string_view bytes) {
  if (head.method == Method::report) {
    const std::uint16_t status = status_in(head.report_status.of(bytes));
    // Never answered (R4975-10). What says nothing that we know is not passed on: as what?
    if (!head.message_id.present() || status == 0) return;
    links_->count(Metric::msrp_ends_reports_in);
    Queued& queued = add_fact(EndFact::Kind::report, end.self);
    queued.text.assign(bytes);
    queued.head = head;
    EndFact& fact = queued.fact;
    fact.head = &queued.head;
    fact.head_bytes = queued.text;
    fact.message_id = head.message_id.of(fact.head_bytes);
    fact.range = head.range;
    fact.status = status;
    return;
  }
  EndToken token = make_token(conn, end, head, bytes);
  if (head.method != Method::nickname) {
    answer(token, 501);
    return;
  }
  Queued& queued = add_fact(EndFact::Kind::nickname, end.self);
  queued.text.assign(bytes);
  queued.head = head;
  EndFact& fact = queued.fact;
  fact.head = &queued.head;
  fact.head_bytes = queued.text;
  fact.token = token;
  if (!unquote(head.use_nickname.of(bytes), queued.name)) fact.status = 424;
  fact.nickname = queued.name;
}

}  // namespace parley::msrp
