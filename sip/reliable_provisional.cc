// sip/reliable_provisional.cc - see reliable_provisional.h.
#include "sip/reliable_provisional.h"

#include "core/check.h"
#include "core/text_out.h"
#include "sip/tokens.h"

namespace parley::sip {
namespace {

constexpr std::uint32_t rseq_first_max = (std::uint32_t{1} << 31) - 1;

bool lists_rel100(const Head& head, std::string_view bytes, HeaderId id) {
  OptionSet options;
  for (const Header* line = head.first(id); line != nullptr; line = head.next(*line)) {
    add_options(line->value.of(bytes), options);
  }
  return options.has(OptionTag::rel100);
}

}  // namespace

RelWish rel_wish(const Head& invite, std::string_view bytes) {
  if (lists_rel100(invite, bytes, HeaderId::require)) return RelWish::required;
  return lists_rel100(invite, bytes, HeaderId::supported) ? RelWish::supported : RelWish::none;
}

std::uint32_t first_rseq(core::Random& random) {
  return static_cast<std::uint32_t>(1 + random.uniform(rseq_first_max));
}

bool ReliableSender::sent(std::string_view bytes, bool has_sdp, core::Instant now) {
  CHECK(ready());
  if (!kept_.keep(*pool_, bytes)) return false;
  ++rseq_;
  waiting_ = true;
  waiting_sdp_ = has_sdp;
  resend_.start(now, t1_, core::Duration::max() / 2);  // 3262 3: no cap
  return true;
}

PrackVerdict ReliableSender::prack(const RAck& rack) {
  if (!waiting_ || rack.rseq != rseq_ - 1 || rack.cseq != invite_cseq_ || rack.method != "INVITE") {
    return PrackVerdict::unknown;  // 3262 3
  }
  waiting_ = false;
  resend_.stop();
  kept_.drop();
  return PrackVerdict::acknowledged;
}

void ReliableSender::close() {
  closed_ = true;
  resend_.stop();
  kept_.drop();
}

RelVerdict ReliableReceiver::receive(const Head& response, std::string_view bytes) {
  if (response.status == 100 || !lists_rel100(response, bytes, HeaderId::require)) return RelVerdict::plain;
  std::uint32_t rseq = 0;
  if (!parse_rseq(response.value(HeaderId::rseq, bytes), rseq)) return RelVerdict::plain;  // no PRACK could name it
  if (begun_ && rseq == rseq_) return RelVerdict::repeated;
  // Never past 2^32-1: numbers do not wrap (3262 3), and a larger one was clamped to that.
  if (begun_ && (rseq_ == UINT32_MAX || rseq != rseq_ + 1)) return RelVerdict::disorder;
  begun_ = true;
  rseq_ = rseq;
  give_up_ = core::never;
  return RelVerdict::fresh;
}

void ReliableReceiver::prack_answered(std::uint16_t status, core::Instant now, core::Duration t1) {
  if (status < 300) {
    give_up_ = core::never;
  } else if (give_up_ == core::never) {
    give_up_ = now + 64 * t1;  // T-27
  }
}

bool ReliableReceiver::due(core::Instant now) {
  if (now < give_up_) return false;
  give_up_ = core::never;
  return true;
}

std::string_view rack_text(std::uint32_t rseq, std::uint32_t invite_cseq, char* out) {
  core::TextOut text(out);
  text.number(rseq).put(' ').number(invite_cseq).put(" INVITE");
  return {out, text.size()};
}

}  // namespace parley::sip
