// tools/parley-load/sip_text.cc - heads by lines, and the few values a load looks into.
#include "tools/parley-load/sip_text.h"

#include <vector>

#include "tools/parley-load/words.h"

namespace parley::load {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

SipMethod method_of(std::string_view name) {
  if (name == "MESSAGE") return SipMethod::message;
  if (name == "INVITE") return SipMethod::invite;
  if (name == "ACK") return SipMethod::ack;
  if (name == "BYE") return SipMethod::bye;
  if (name == "OPTIONS") return SipMethod::options;
  if (name == "REGISTER") return SipMethod::register_;
  return SipMethod::other;
}

const char* take_start_line(std::string_view line, SipMessage& message) {
  if (line.starts_with("SIP/2.0 ")) {
    if (line.size() < 12 || line[11] != ' ') return "status line";
    for (size_t i = 8; i < 11; ++i) {
      if (line[i] < '0' || line[i] > '9') return "status line";
      message.status = message.status * 10 + static_cast<unsigned>(line[i] - '0');
    }
    message.method = SipMethod::response;
    return message.status >= 100 && message.status < 700 ? nullptr : "status";
  }
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first || line.substr(last) != " SIP/2.0") return "start line";
  message.method = method_of(line.substr(0, first));
  message.uri = line.substr(first + 1, last - first - 1);
  return nullptr;
}

template <size_t n>
const char* keep(std::array<std::string_view, n>& values, size_t& count, std::string_view value) {
  if (count == n) return "too many headers of a kind";
  values[count++] = value;
  return nullptr;
}

const char* once(std::string_view& place, std::string_view value) {
  if (place.data() != nullptr) return "a header twice";
  place = value;
  return nullptr;
}

const char* take_header(std::string_view name, std::string_view value, SipMessage& m, size_t& length) {
  // The first letter decides; most headers need one comparison.
  switch (name[0] | 0x20) {
    case 'v':
      if (name.size() == 1 || same_word(name, "Via")) return keep(m.vias, m.via_count, value);
      break;
    case 'f':
      if (name.size() == 1 || same_word(name, "From")) return once(m.from, value);
      break;
    case 't':
      if (name.size() == 1 || same_word(name, "To")) return once(m.to, value);
      break;
    case 'i':
      if (name.size() == 1) return once(m.call_id, value);
      break;
    case 'm':
      if (name.size() == 1) m.contact = value;
      break;
    case 'r':
      if (same_word(name, "Record-Route")) return keep(m.record_routes, m.record_route_count, value);
      break;
    case 'w':
      if (same_word(name, "WWW-Authenticate")) return keep(m.challenges, m.challenge_count, value);
      break;
    case 'p':
      if (same_word(name, "Proxy-Authenticate")) return keep(m.challenges, m.challenge_count, value);
      break;
    case 'l':
    case 'c':
      if (same_word(name, "Call-ID")) return once(m.call_id, value);
      if (same_word(name, "CSeq")) return once(m.cseq, value);
      if ((name.size() == 1 && (name[0] | 0x20) == 'c') || same_word(name, "Content-Type")) return once(m.content_type, value);
      if (same_word(name, "Contact") && m.contact.data() == nullptr) m.contact = value;
      if ((name.size() == 1 && (name[0] | 0x20) == 'l') || same_word(name, "Content-Length")) {
        if (m.has_length) return "a header twice";
        m.has_length = true;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
        if (error != std::errc{} || end != value.data() + value.size()) return "Content-Length";
      }
      break;
    default: break;
  }
  return nullptr;
}

}  // namespace

SipResult parse_sip(std::string_view data, bool datagram, SipMessage& m, const char** why) {
  m = SipMessage{};
  size_t length = 0;
  size_t at = 0;
  for (bool first = true;; first = false) {
    const void* const found = at < data.size() ? std::memchr(data.data() + at, '\n', data.size() - at) : nullptr;
    if (found == nullptr || at > kSipHeadBytesMax) {
      *why = datagram ? "no end of the head" : "head too long";
      return datagram || data.size() > kSipHeadBytesMax ? SipResult::bad : SipResult::more;
    }
    const auto end = static_cast<size_t>(static_cast<const char*>(found) - data.data());
    const std::string_view line = data.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line.back() != '\r') {
      *why = "a line without CRLF";
      return SipResult::bad;
    }
    const std::string_view text = line.substr(0, line.size() - 1);
    if (first) {
      *why = take_start_line(text, m);
      if (*why != nullptr) return SipResult::bad;
      continue;
    }
    if (text.empty()) break;
    const size_t colon = text.find(':');
    const std::string_view name = trim(text.substr(0, colon));
    *why = colon == std::string_view::npos || name.empty() || text[0] == ' ' || text[0] == '\t'
               ? "header line"  // we send no folds, so none can come back
               : take_header(name, trim(text.substr(colon + 1)), m, length);
    if (*why != nullptr) return SipResult::bad;
  }
  m.head = data.substr(0, at);
  if (m.via_count == 0 || m.from.empty() || m.to.empty() || m.call_id.empty() || m.cseq.empty()) {
    *why = "a mandatory header is missing";
    return SipResult::bad;
  }
  if (!m.has_length && !datagram) {
    *why = "no Content-Length on a stream";
    return SipResult::bad;
  }
  if (!m.has_length) length = data.size() - at;
  if (length > data.size() - at) {
    *why = "body cut short";
    return datagram ? SipResult::bad : SipResult::more;
  }
  m.body = data.substr(at, length);
  m.size_bytes = datagram ? data.size() : at + length;
  return SipResult::done;
}

std::string_view branch_of(const SipMessage& message) {
  std::string_view via = message.vias[0].substr(0, message.vias[0].find(','));
  const size_t at = via.find(";branch=");
  if (at == std::string_view::npos) return {};
  via.remove_prefix(at + 8);
  return via.substr(0, via.find_first_of("; \t"));
}

std::string_view uri_of(std::string_view address) {
  const size_t open = address.find('<');
  if (open == std::string_view::npos) return address.substr(0, address.find_first_of(";, "));
  const size_t close = address.find('>', open);
  return close == std::string_view::npos ? std::string_view{} : address.substr(open + 1, close - open - 1);
}

std::string routes_of(const SipMessage& answer) {
  std::vector<std::string_view> routes;
  for (size_t i = 0; i < answer.record_route_count; ++i) {
    std::string_view rest = answer.record_routes[i];
    while (!rest.empty()) {
      const size_t close = rest.find('>');
      const size_t comma = close == std::string_view::npos ? close : rest.find(',', close);
      routes.push_back(trim(rest.substr(0, comma)));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  std::string out;
  for (size_t i = routes.size(); i-- > 0;) out += "Route: " + std::string(routes[i]) + "\r\n";
  return out;
}

bool take_sip_id(std::string_view text, std::string_view run, bool with_attempt, SipId& id) {
  if (text.size() < (with_attempt ? kBranchDigits : kCallIdDigits) || !text.starts_with(run)) return false;
  uint64_t parts[3] = {};
  const size_t ends[3] = {14, 24, with_attempt ? size_t{26} : size_t{24}};
  size_t at = 8;
  for (size_t part = 0; part < 3; ++part) {
    for (; at < ends[part]; ++at) {
      const char c = text[at];
      const bool digit = c >= '0' && c <= '9';
      if (!digit && !(c >= 'a' && c <= 'f')) return false;
      parts[part] = parts[part] << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
  }
  id = {static_cast<uint32_t>(parts[0]), parts[1], static_cast<uint32_t>(parts[2])};
  return true;
}

void put_answer(SipText& out, const SipMessage& request, std::string_view status_line, std::string_view to_tag,
                std::string_view more, std::string_view body) {
  out.put("SIP/2.0 ").put(status_line);
  for (size_t i = 0; i < request.via_count; ++i) out.put("\r\nVia: ").put(request.vias[i]);
  out.put("\r\nFrom: ").put(request.from).put("\r\nTo: ").put(request.to);
  if (request.to.find(";tag=") == std::string_view::npos) out.put(";tag=").put(to_tag);
  out.put("\r\nCall-ID: ").put(request.call_id).put("\r\nCSeq: ").put(request.cseq).put("\r\n").put(more);
  out.put("Content-Length: ").number(body.size()).put("\r\n\r\n").put(body);
}

}  // namespace parley::load
