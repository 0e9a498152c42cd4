// sip/transport_stream.cc - messages out of a byte stream (RFC 3261 section 18.3, R3261-12). See transport.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "sip/transport.h"

namespace parley::sip {

using core::Metric;

namespace {
// Of what follows an incomplete head, most may be body and of a known length: no need to copy it before that is known.
constexpr std::size_t head_step_bytes = 512;
}  // namespace

const Received* Transport::next_of_stream() {
  for (;;) {
    Connection* const c = connections_.get(cursor_.connection);
    if (c == nullptr || cursor_.size == 0) return nullptr;
    if (c->partial != nullptr) {
      if (const Received* const message = continue_partial(*c)) return message;
      continue;
    }
    if (!skip_lines(*c)) continue;
    const std::string_view rest = cursor_.rest();
    parser_.reset();
    const Progress progress = parser_.parse(rest, config_->head);
    if (progress == Progress::bad) return give_up(*c, parser_.head(), rest);
    if (progress == Progress::need_more) {
      cursor_.skip(rest.size());
      start_partial(*c, parser_, rest, 0);
      return nullptr;
    }
    const Head& head = parser_.head();
    const std::size_t total = message_bytes(head);
    if (total == 0) return give_up(*c, head, rest);
    if (total > rest.size()) {
      cursor_.skip(rest.size());
      start_partial(*c, parser_, rest, total);
      return nullptr;
    }
    cursor_.skip(total);
    c->begun = {};
    return deliver(flow_of(*c), head, rest.substr(0, total), true);
  }
}

// CRLFs before a message. Two in a row ask for one back (R5626-3); a single one is nothing. False: no message begins at
// the cursor.
bool Transport::skip_lines(Connection& c) {
  if (c.cr_pending && cursor_.size != 0) {
    c.cr_pending = false;
    if (*cursor_.at != '\n') {  // it begins what is no message
      constexpr std::string_view cr = "\r";
      parser_.reset();
      (void)parser_.parse(cr, config_->head);
      start_partial(c, parser_, cr, 0);
      return false;
    }
    cursor_.skip(1);
    ++c.lines;
  }
  const LeadingLines lead = leading_lines(cursor_.rest());
  cursor_.skip(lead.bytes);
  std::size_t lines = c.lines + lead.lines;
  for (; lines >= 2; lines -= 2) pong(c);
  c.lines = static_cast<std::uint8_t>(lines);
  if (cursor_.size == 1 && *cursor_.at == '\r') {
    c.cr_pending = true;
    cursor_.skip(1);
  }
  if (cursor_.size != 0) c.lines = 0;
  return cursor_.size != 0;
}

void Transport::pong(Connection& c) {
  count(Metric::sip_keep_alives);
  if (c.proven) c.begun = {};
  if (c.queued_bytes < config_->queue_bytes_max) (void)write(c, "\r\n");
}

// 0: where the message ends is not known, or too far away.
std::size_t Transport::message_bytes(const Head& head) const {
  if (head.bad_content_length) return 0;
  const std::size_t total = std::size_t{head.length} + head.content_length;
  return total > config_->stream_message_bytes_max ? 0 : total;
}

void Transport::start_partial(Connection& c, const HeadParser& parser, std::string_view bytes, std::size_t total) {
  if (metrics_.get(Metric::sip_partial_bytes) + bytes.size() > config_->partial_bytes_max) {
    close_now(c, Metric::sip_partial_limit);
    return;
  }
  c.partial = std::make_unique<Partial>();
  c.partial->parser = parser;
  c.partial->bytes.assign(bytes.begin(), bytes.end());
  c.partial->total = total;
  metrics_.add(Metric::sip_partial_bytes, bytes.size());
  if (c.begun == core::Instant{}) c.begun = now_.mono;
  arm(c);
}

void Transport::drop_partial(Connection& c) {
  if (c.partial == nullptr) return;
  metrics_.sub(Metric::sip_partial_bytes, c.partial->bytes.size());
  c.partial.reset();
}

// Null: more is needed, or the connection is closed; either way the cursor has moved or is at its end.
const Received* Transport::continue_partial(Connection& c) {
  Partial& p = *c.partial;
  const std::string_view rest = cursor_.rest();
  std::size_t take = 0;
  if (p.total != 0) {
    take = std::min(rest.size(), p.total - p.bytes.size());
  } else {
    const std::size_t room = config_->head.head_bytes_max + std::size_t{1} - std::min<std::size_t>(p.bytes.size(), config_->head.head_bytes_max);
    take = std::min({rest.size(), head_step_bytes, room});
  }
  if (metrics_.get(Metric::sip_partial_bytes) + take > config_->partial_bytes_max) {
    close_now(c, Metric::sip_partial_limit);
    return nullptr;
  }
  p.bytes.insert(p.bytes.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(take));
  metrics_.add(Metric::sip_partial_bytes, take);
  if (p.total == 0) {
    const std::string_view bytes(p.bytes.data(), p.bytes.size());
    const Progress progress = p.parser.parse(bytes, config_->head);
    if (progress == Progress::need_more) {
      cursor_.skip(take);
      return nullptr;
    }
    p.total = progress == Progress::done ? message_bytes(p.parser.head()) : 0;
    if (p.total == 0) {
      handled_ = std::move(c.partial);
      metrics_.sub(Metric::sip_partial_bytes, handled_->bytes.size());
      return give_up(c, handled_->parser.head(), {handled_->bytes.data(), handled_->bytes.size()});
    }
    if (p.total < p.bytes.size()) {  // what belongs to the next message stays where it is
      const std::size_t over = p.bytes.size() - p.total;
      CHECK(over <= take);
      take -= over;
      p.bytes.resize(p.total);
      metrics_.sub(Metric::sip_partial_bytes, over);
    }
  }
  cursor_.skip(take);
  if (p.bytes.size() < p.total) return nullptr;
  c.begun = {};
  handled_ = std::move(c.partial);
  metrics_.sub(Metric::sip_partial_bytes, handled_->bytes.size());
  return deliver(flow_of(c), handled_->parser.head(), {handled_->bytes.data(), handled_->bytes.size()}, true);
}

// The message is answered as far as it can be, then the connection ends: nobody knows where the next one begins.
const Received* Transport::give_up(Connection& c, const Head& head, std::string_view bytes) {
  cursor_.skip(cursor_.size);
  const Received* const message = deliver(flow_of(c), head, head.length == 0 ? bytes : bytes.substr(0, head.length), true);
  if (verdict_.kind == Verdict::Kind::accept) {  // nothing wrong but its size
    const bool silent = !head.request() || head.method == Method::ack;
    verdict_ = {.kind = silent ? Verdict::Kind::drop : Verdict::Kind::respond,
                .status = static_cast<std::uint16_t>(silent ? 0 : 513),
                .reason = "Message Too Large"};
  }
  verdict_.lost_in_stream = true;
  if (ending_.empty() || ending_.back() != c.self) ending_.push_back(c.self);
  return message;
}

}  // namespace parley::sip
