// tests/sip/sdp_lines.cc - see sdp_lines.h.
#include "tests/sip/sdp_lines.h"

namespace parley::tests {
namespace {

using sip::Sdp;
using sip::SdpMedia;
using sip::SdpQuirks;

std::string quirk_words(const SdpQuirks& quirks) {
  std::string out;
  const auto add = [&out](bool is, const char* word) {
    if (is) out += std::string(" ") + word;
  };
  add(quirks.line_feed_only, "line-feed");
  add(quirks.last_line_open, "last-line-open");
  add(quirks.order, "order");
  add(quirks.no_time, "no-time");
  add(quirks.no_session_name, "no-name");
  add(quirks.empty_session_name, "empty-name");
  add(quirks.origin_numbers, "origin-numbers");
  add(quirks.blanks, "blanks");
  add(quirks.unknown_line, "unknown-line");
  add(quirks.repeated, "repeated");
  return out;
}

class MediaLines {
 public:
  MediaLines(std::string_view text, const Sdp& sdp, const SdpMedia& media, std::vector<std::string>& out)
      : text_(text), sdp_(sdp), media_(media), out_(out) {}

  void add() {
    out_.push_back("media " + of(media_.media) + " port " + std::to_string(media_.port) + " " + protocol() + " [" +
                   of(media_.formats) + "] at " + of(connection_of(sdp_, media_).address));
    span("path", media_.path, media_.path.present());
    span("accept-types", media_.accept_types, media_.has_accept_types);
    span("accept-wrapped-types", media_.accept_wrapped_types, media_.has_accept_wrapped_types);
    if (media_.has_max_size) out_.push_back("  max-size " + std::to_string(media_.max_size));
    if (const sip::SdpSetup setup = setup_of(sdp_, media_); setup != sip::SdpSetup::absent) {
      out_.push_back("  setup " + (setup == sip::SdpSetup::unknown ? "?" : std::string(to_string(setup))));
    }
    out_.push_back("  " + std::string(to_string(direction_of(sdp_, media_))));
    if (media_.msrp_cema) out_.emplace_back("  msrp-cema");
    if (media_.msrp_acm) out_.emplace_back("  msrp-acm");
    span("chatroom", media_.chatroom, media_.has_chatroom);
    span("fingerprint", media_.fingerprint, media_.fingerprint.present());
    span("file-selector", media_.file_selector, media_.has_file_selector);
    span("file-transfer-id", media_.file_transfer_id, media_.file_transfer_id.present());
    span("file-disposition", media_.file_disposition, media_.file_disposition.present());
    span("file-date", media_.file_date, media_.file_date.present());
    span("file-icon", media_.file_icon, media_.file_icon.present());
    span("file-range", media_.file_range, media_.file_range.present());
  }

 private:
  [[nodiscard]] std::string of(sip::Span span) const { return std::string(span.of(text_)); }
  [[nodiscard]] std::string protocol() const {
    switch (media_.protocol) {
      case sip::SdpProtocol::tcp_msrp: return "tcp";
      case sip::SdpProtocol::tcp_tls_msrp: return "tls";
      case sip::SdpProtocol::other: break;
    }
    return "other(" + of(media_.protocol_name) + ")";
  }
  void span(const char* name, sip::Span span, bool has) {
    if (has) out_.push_back(std::string("  ") + name + " [" + of(span) + "]");
  }

  std::string_view text_;
  const Sdp& sdp_;
  const SdpMedia& media_;
  std::vector<std::string>& out_;
};

}  // namespace

std::vector<std::string> sdp_lines(std::string_view text, const Sdp& sdp, const sip::SdpVerdict& verdict) {
  if (!verdict.ok()) return {"bad " + std::string(to_string(verdict.error)) + " at " + std::to_string(verdict.offset)};
  std::vector<std::string> out;
  out.push_back("origin " + std::string(sdp.origin.username.of(text)) + " id " +
                std::string(sdp.origin.session_id.of(text)) + " version " + std::string(sdp.origin.version.of(text)) +
                " at " + std::string(sdp.origin.address.of(text)));
  out.push_back("name [" + std::string(sdp.name.of(text)) + "] time [" + std::string(sdp.time.of(text)) + "]");
  for (std::size_t i = 0; i < sdp.media_count; ++i) MediaLines(text, sdp, sdp.media[i], out).add();
  if (const std::string words = quirk_words(sdp.quirks); !words.empty()) out.push_back("quirks" + words);
  return out;
}

}  // namespace parley::tests
