// sip/sdp_reader.cc - see sdp_reader.h.
#include "sip/sdp_reader.h"

#include <charconv>

namespace parley::sip {
namespace {

// RFC 4566 section 5: the order of lines in the session and in a media section. Nothing stands for a letter that is not
// known there.
constexpr std::string_view session_order = "vosiuepcbtrzka";
constexpr std::string_view media_order = "micbka";

bool is_space_or_tab(char c) { return c == ' ' || c == '\t'; }

Span trimmed(std::string_view text, Span span) {
  while (span.present() && is_space_or_tab(text[span.offset])) {
    ++span.offset;
    --span.length;
  }
  while (span.present() && is_space_or_tab(text[span.offset + span.length - 1])) --span.length;
  return span;
}

bool all_digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

SdpDirection direction_named(std::string_view name) {
  if (name == "sendrecv") return SdpDirection::sendrecv;
  if (name == "sendonly") return SdpDirection::sendonly;
  if (name == "recvonly") return SdpDirection::recvonly;
  if (name == "inactive") return SdpDirection::inactive;
  return SdpDirection::absent;
}

// T-40: upper case was seen.
SdpSetup setup_named(std::string_view value) {
  for (const SdpSetup setup : {SdpSetup::active, SdpSetup::passive, SdpSetup::actpass, SdpSetup::holdconn}) {
    if (core::equal_ignore_case(value, to_string(setup))) return setup;
  }
  return SdpSetup::unknown;
}

SdpProtocol protocol_named(std::string_view name) {
  if (core::equal_ignore_case(name, "TCP/MSRP")) return SdpProtocol::tcp_msrp;
  if (core::equal_ignore_case(name, "TCP/TLS/MSRP")) return SdpProtocol::tcp_tls_msrp;
  return SdpProtocol::other;
}

}  // namespace

bool SdpReader::begin_line(char letter, std::uint32_t at) {
  line_ = at;
  if (letter == 'm') {
    if (out_.media_count == sdp_media_max) return false;
    end_section(at);
    ++out_.media_count;
    media_now()->section.offset = at;
    rank_ = -1;
    max_size_named_ = false;
    port_ = 0;
  }
  check_order(letter);
  return true;
}

void SdpReader::check_order(char letter) {
  const std::string_view order = out_.media_count == 0 ? session_order : media_order;
  const std::size_t found = order.find(letter);
  if (found == std::string_view::npos) {
    out_.quirks.order |= session_order.find(letter) != std::string_view::npos;  // a session's line behind m=
    return;
  }
  const int rank = static_cast<int>(found);
  // Several t= may follow each other, each with its r=.
  const bool next_time = letter == 't' && rank_ >= 0 && order[static_cast<std::size_t>(rank_)] == 'r';
  if (rank < rank_ && !next_time) out_.quirks.order = true;
  rank_ = rank;
}

void SdpReader::end_section(std::uint32_t at) {
  Span& section = out_.media_count == 0 ? out_.session : media_now()->section;
  section.length = at - section.offset;
}

bool SdpReader::add_port_digit(char digit) {
  port_ = port_ * 10 + static_cast<std::uint32_t>(digit - '0');
  return port_ <= 65535;
}

bool SdpReader::origin(std::uint32_t end) {
  if (out_.origin.line.present()) return false;
  out_.origin = {.line = line_to(end),
                 .username = word_[0],
                 .session_id = word_[1],
                 .version = word_[2],
                 .net_type = word_[3],
                 .address_type = word_[4],
                 .address = word_[5]};
  if (!all_digits(word_[1].of(text_)) || !all_digits(word_[2].of(text_))) out_.quirks.origin_numbers = true;
  return true;
}

void SdpReader::session_name(Span value) {
  if (out_.media_count != 0) return;  // said to be out of order already
  out_.quirks.repeated |= seen_name_;
  seen_name_ = true;
  out_.name = value;
}

void SdpReader::time(Span value) {
  if (out_.media_count == 0 && !out_.time.present()) out_.time = trimmed(text_, value);
}

void SdpReader::connection(std::uint32_t end) {
  SdpConnection& here = out_.media_count == 0 ? out_.connection : media_now()->connection;
  // A section may have several for layered multicast; MSRP has no use for that.
  if (here.line.present()) return;
  here = {.line = line_to(end), .net_type = word_[0], .address_type = word_[1], .address = word_[2]};
}

void SdpReader::media(std::uint32_t end, Span formats) {
  SdpMedia& media = *media_now();
  media.line = line_to(end);
  media.media = word_[0];
  media.port = static_cast<std::uint16_t>(port_);
  media.protocol_name = word_[2];
  media.protocol = protocol_named(media.protocol_name.of(text_));
  media.formats = trimmed(text_, formats);
  if (!media.formats.present()) out_.quirks.blanks = true;
}

void SdpReader::attribute(Span name, Span value) {
  const Span bare = trimmed(text_, value);
  const std::string_view text = name.of(text_);
  if (SdpMedia* const media = media_now()) {
    media_attribute(*media, text, bare);
  } else {
    session_attribute(text, bare);
  }
}

void SdpReader::session_attribute(std::string_view name, Span value) {
  if (name == "setup") {
    if (out_.setup == SdpSetup::absent) out_.setup = setup_named(value.of(text_));
  } else if (name == "fingerprint") {
    if (!out_.fingerprint.present()) out_.fingerprint = value;
  } else if (const SdpDirection direction = direction_named(name); direction != SdpDirection::absent) {
    out_.direction = direction;
  }
}

void SdpReader::keep(Span& span, Span value) {
  if (span.present()) {
    out_.quirks.repeated = true;
  } else {
    span = value;
  }
}

void SdpReader::keep(Span& span, bool& has, Span value) {
  if (has) {
    out_.quirks.repeated = true;
  } else {
    has = true;
    span = value;
  }
}

void SdpReader::media_attribute(SdpMedia& media, std::string_view name, Span value) {
  switch (name.size()) {
    case 4:
      if (name == "path") keep(media.path, value);
      return;
    case 5:
      if (name != "setup") return;
      out_.quirks.repeated |= media.setup != SdpSetup::absent;
      if (media.setup == SdpSetup::absent) media.setup = setup_named(value.of(text_));
      return;
    case 7:
      if (name == "maxsize") max_size(media, value, false);
      return;
    case 8:
      if (name == "max-size") return max_size(media, value, true);
      if (name == "chatroom") return keep(media.chatroom, media.has_chatroom, value);
      if (name == "msrp-acm") media.msrp_acm = true;
      if (const SdpDirection direction = direction_named(name); direction != SdpDirection::absent) {
        out_.quirks.repeated |= media.direction != SdpDirection::absent;
        media.direction = direction;
      }
      return;
    case 9:
      if (name == "msrp-cema") media.msrp_cema = true;
      if (name == "file-date") keep(media.file_date, value);
      if (name == "file-icon") keep(media.file_icon, value);
      return;
    case 10:
      if (name == "file-range") keep(media.file_range, value);
      return;
    case 11:
      if (name == "fingerprint" && !media.fingerprint.present()) media.fingerprint = value;  // one per hash
      return;
    case 12:
      if (name == "accept-types") keep(media.accept_types, media.has_accept_types, value);
      return;
    case 13:
      if (name == "file-selector") keep(media.file_selector, media.has_file_selector, value);
      return;
    case 16:
      if (name == "file-transfer-id") keep(media.file_transfer_id, value);
      if (name == "file-disposition") keep(media.file_disposition, value);
      return;
    case 20:
      if (name == "accept-wrapped-types") keep(media.accept_wrapped_types, media.has_accept_wrapped_types, value);
      return;
    default: return;
  }
}

// T-38: "maxsize" was seen beside and instead of "max-size"; the right name counts more. What is no number limits
// nothing.
void SdpReader::max_size(SdpMedia& media, Span value, bool right_name) {
  if (max_size_named_ || (media.has_max_size && !right_name)) {
    out_.quirks.repeated = true;
    return;
  }
  const std::string_view text = value.of(text_);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return;
  media.has_max_size = true;
  media.max_size = number;
  max_size_named_ = right_name;
}

bool SdpReader::finish() {
  const auto size = static_cast<std::uint32_t>(text_.size());
  end_section(size);
  out_.quirks.last_line_open = text_.back() != '\n';
  out_.quirks.no_session_name = !seen_name_;
  out_.quirks.empty_session_name = seen_name_ && !out_.name.present();
  out_.quirks.no_time = !out_.time.present();
  return out_.origin.line.present();
}

}  // namespace parley::sip
