// sip/sdp.cc - names, what holds for a section, and walking along lines and words.
#include "sip/sdp.h"

#include "sip/value.h"

namespace parley::sip {
namespace {

bool is_separator(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::string_view to_string(SdpDirection direction) {
  switch (direction) {
    case SdpDirection::absent: return "";
    case SdpDirection::sendrecv: return "sendrecv";
    case SdpDirection::sendonly: return "sendonly";
    case SdpDirection::recvonly: return "recvonly";
    case SdpDirection::inactive: return "inactive";
  }
  return "";
}

std::string_view to_string(SdpSetup setup) {
  switch (setup) {
    case SdpSetup::active: return "active";
    case SdpSetup::passive: return "passive";
    case SdpSetup::actpass: return "actpass";
    case SdpSetup::holdconn: return "holdconn";
    case SdpSetup::absent:
    case SdpSetup::unknown: return "";
  }
  return "";
}

std::string_view to_string(SdpError error) {
  switch (error) {
    case SdpError::none: return "none";
    case SdpError::syntax: return "syntax";
    case SdpError::version: return "version";
    case SdpError::origin: return "origin";
    case SdpError::connection: return "connection";
    case SdpError::media: return "media";
    case SdpError::too_many_media: return "too_many_media";
    case SdpError::too_long: return "too_long";
    case SdpError::strict: return "strict";
  }
  return "";
}

const SdpConnection& connection_of(const Sdp& sdp, const SdpMedia& media) {
  return media.connection.line.present() ? media.connection : sdp.connection;
}

SdpDirection direction_of(const Sdp& sdp, const SdpMedia& media) {
  if (media.direction != SdpDirection::absent) return media.direction;
  return sdp.direction == SdpDirection::absent ? SdpDirection::sendrecv : sdp.direction;
}

SdpSetup setup_of(const Sdp& sdp, const SdpMedia& media) {
  return media.setup == SdpSetup::absent ? sdp.setup : media.setup;
}

bool SdpAttributes::next(SdpAttribute& out) {
  while (!rest_.empty()) {
    std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(line.size() == rest_.size() ? line.size() : line.size() + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.starts_with("a=")) continue;
    line.remove_prefix(2);
    const std::size_t colon = line.find(':');
    out.has_value = colon != std::string_view::npos;
    out.name = line.substr(0, colon);
    out.value = out.has_value ? trim(line.substr(colon + 1)) : std::string_view{};
    return true;
  }
  return false;
}

bool SdpWords::next(std::string_view& word) {
  while (!rest_.empty() && is_separator(rest_.front())) rest_.remove_prefix(1);
  std::size_t size = 0;
  while (size < rest_.size() && !is_separator(rest_[size])) ++size;
  word = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return size != 0;
}

std::string_view first_word(std::string_view value) {
  std::string_view word;
  return SdpWords(value).next(word) ? word : std::string_view{};
}

std::string_view last_word(std::string_view value) {
  std::string_view last;
  SdpWords words(value);
  for (std::string_view word; words.next(word);) last = word;
  return last;
}

}  // namespace parley::sip
