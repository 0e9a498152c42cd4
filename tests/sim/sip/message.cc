// tests/sim/sip/message.cc - see message.h.
#include "tests/sim/sip/message.h"

#include <algorithm>
#include <cstdlib>

namespace parley::sim::sip {
namespace {

constexpr std::string_view token_extras = "-.!%*_+`'~";

bool token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           token_extras.find(c) != std::string_view::npos;
  });
}
bool digits(std::string_view text) {
  return !text.empty() && text.size() < 11 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Those that stand once (RFC 3261 section 7.3.1: not lists).
constexpr std::string_view singles[] = {
    "From",    "To",    "Call-ID",      "CSeq",        "Max-Forwards",       "Max-Breadth",
    "Expires", "Event", "Content-Type", "Min-Expires", "Subscription-State", "Session-Expires",
    "Min-SE",  "RSeq",  "RAck",         "Subject"};
constexpr std::string_view list_names[] = {"Via",     "Contact",       "Record-Route", "Route",
                                           "Path",    "Service-Route", "Allow",        "Supported",
                                           "Require", "Allow-Events",  "Unsupported"};

std::string read_via(const std::string& via) {
  static constexpr std::string_view known[] = {"SIP/2.0/UDP ", "SIP/2.0/TCP ", "SIP/2.0/TLS ", "SIP/2.0/WSS "};
  if (std::none_of(std::begin(known), std::end(known), [&](std::string_view p) { return via.starts_with(p); }))
    return "Via transport";
  const std::string_view sent_by = std::string_view(via).substr(12, via.find(';', 12) - 12);
  const std::size_t colon = sent_by.rfind(':');
  if (sent_by.empty() || (colon != std::string_view::npos && !digits(sent_by.substr(colon + 1)))) return "Via sent-by";
  if (!parameter(via, "branch").starts_with("z9hG4bK")) return "Via branch";
  return {};
}

std::string read_address(const std::string& name, const std::string& value, bool tag_needed) {
  UriParts uri;
  if (!read_uri(uri_of(value), uri)) return name + " URI";
  bool tagged = false;
  const std::string tag = parameter(value, "tag", &tagged);
  if ((tag_needed || tagged) && !token(tag)) return name + " tag";
  return {};
}

std::string check(const Message& m) {
  for (const std::string_view name : singles) {
    const auto count = std::count_if(m.fields.begin(), m.fields.end(), [&](const auto& f) { return f.first == name; });
    if (count > 1) return "two of " + std::string(name);
  }
  for (const char* name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
    if (!m.has(name)) return std::string("no ") + name;
  }
  for (const std::string& via : m.values("Via")) {
    if (std::string wrong = read_via(via); !wrong.empty()) return wrong + ": " + via;
  }
  if (std::string wrong = read_address("From", m.value("From"), true); !wrong.empty()) return wrong;
  if (std::string wrong = read_address("To", m.value("To"), !m.request && m.status > 100); !wrong.empty()) return wrong;
  for (const char* name : {"Contact", "Record-Route", "Route"}) {
    for (const std::string& address : m.values(name)) {
      if (address == "*") continue;
      if (std::string wrong = read_address(name, address, false); !wrong.empty()) return wrong + ": " + address;
    }
  }
  const std::string& cseq = m.value("CSeq");
  const std::size_t space = cseq.find(' ');
  if (space == std::string::npos || !digits(cseq.substr(0, space)) || !token(cseq.substr(space + 1)))
    return "CSeq " + cseq;
  if (!m.request) return {};
  if (cseq_method(m) != m.method) return "CSeq of another method";
  const std::string& hops = m.value("Max-Forwards");
  if (!digits(hops) || std::atoi(hops.c_str()) > 255) return "Max-Forwards " + hops;
  UriParts uri;
  return read_uri(m.uri, uri) ? std::string() : "request URI " + m.uri;
}

}  // namespace

const std::string& Message::value(std::string_view name) const {
  static const std::string none;
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
  return found == fields.end() ? none : found->second;
}

bool Message::has(std::string_view name) const {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
}

std::vector<std::string> Message::values(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [field, text] : fields) {
    if (field != name) continue;
    if (std::find(std::begin(list_names), std::end(list_names), name) == std::end(list_names)) {
      out.push_back(text);
      continue;
    }
    for (std::string& one : split_list(text)) out.push_back(std::move(one));
  }
  return out;
}

bool Message::lists(std::string_view name, std::string_view token) const {
  const auto all = values(name);
  return std::find(all.begin(), all.end(), token) != all.end();
}

std::string write(const Message& m) {
  std::string out = m.request ? m.method + " " + m.uri + " SIP/2.0\r\n"
                              : "SIP/2.0 " + std::to_string(m.status) + " " + m.reason + "\r\n";
  for (const auto& [name, text] : m.fields) out += name + ": " + text + "\r\n";
  return out + "Content-Length: " + std::to_string(m.body.size()) + "\r\n\r\n" + m.body;
}

std::string read(std::string_view bytes, Message& out) {
  out = Message{};
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return "no end of head";
  std::string_view head = bytes.substr(0, end + 2);
  out.body = std::string(bytes.substr(end + 4));
  const auto line_of = [&head] {
    const std::size_t at = head.find("\r\n");
    const std::string_view line = head.substr(0, at);
    head.remove_prefix(at + 2);
    return line;
  };
  const std::string_view start = line_of();
  if (start.starts_with("SIP/2.0 ")) {
    if (start.size() < 12 || !digits(start.substr(8, 3)) || start[11] != ' ') return "status line";
    out.status = std::atoi(std::string(start.substr(8, 3)).c_str());
    if (out.status < 100 || out.status > 699) return "status";
    out.reason = std::string(start.substr(12));
    if (out.reason.empty()) return "no reason phrase";
  } else {
    const std::size_t one = start.find(' ');
    const std::size_t two = start.rfind(' ');
    if (one == std::string_view::npos || two == one || start.substr(two) != " SIP/2.0") return "request line";
    out.request = true;
    out.method = std::string(start.substr(0, one));
    out.uri = std::string(start.substr(one + 1, two - one - 1));
    if (!token(out.method) || out.uri.empty() || out.uri.find(' ') != std::string::npos) return "request line";
  }
  std::size_t length = 0;
  bool has_length = false;
  while (!head.empty()) {
    const std::string_view line = line_of();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !token(line.substr(0, colon)) || colon == 1)
      return "header line " + std::string(line);
    const std::string_view text = line.substr(colon + 1);
    if (!text.starts_with(' ') || text.starts_with("  ") || text.ends_with(' ')) return "space in " + std::string(line);
    if (std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 32) || c == 127; }))
      return "control character";
    if (line.substr(0, colon) == "Content-Length") {
      if (has_length || !digits(trimmed(text))) return "Content-Length";
      has_length = true;
      length = std::strtoul(std::string(trimmed(text)).c_str(), nullptr, 10);
      continue;
    }
    out.add(std::string(line.substr(0, colon)), std::string(trimmed(text)));
  }
  if (!has_length) return "no Content-Length";
  if (length != out.body.size())
    return "Content-Length " + std::to_string(length) + " for " + std::to_string(out.body.size());
  return check(out);
}

std::size_t first_message(std::string_view bytes, std::size_t& skip, std::string& complaint) {
  skip = 0;
  while (bytes.substr(skip).starts_with("\r\n")) skip += 2;
  const std::string_view rest = bytes.substr(skip);
  const std::size_t end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const std::size_t at = rest.find("\r\nContent-Length: ");
  if (at == std::string_view::npos || at > end) {
    complaint = "a message on a stream without Content-Length";
    return 0;
  }
  const std::size_t total = end + 4 + std::strtoul(std::string(rest.substr(at + 18, 12)).c_str(), nullptr, 10);
  return rest.size() < total ? 0 : total;
}

std::vector<std::string> split_list(std::string_view value) {
  std::vector<std::string> out;
  bool quoted = false, bracket = false;
  std::size_t begin = 0;
  for (std::size_t n = 0; n <= value.size(); ++n) {
    if (n == value.size() || (value[n] == ',' && !quoted && !bracket)) {
      out.emplace_back(trimmed(value.substr(begin, n - begin)));
      begin = n + 1;
    } else if (value[n] == '"') {
      quoted = !quoted;
    } else if (!quoted && (value[n] == '<' || value[n] == '>')) {
      bracket = value[n] == '<';
    }
  }
  return out;
}

std::string uri_of(const std::string& address) {
  const std::size_t open = address.find('<');
  if (open == std::string::npos) return address.substr(0, address.find(';'));
  return address.substr(open + 1, address.find('>', open) - open - 1);
}

namespace {
// Where ";name" of a parameter begins and ends.
std::pair<std::size_t, std::size_t> find_parameter(const std::string& value, std::string_view name) {
  std::size_t at = value.find('>');
  at = value.find(';', at == std::string::npos ? 0 : at);
  while (at != std::string::npos) {
    const std::size_t end = std::min(value.find(';', at + 1), value.size());
    const std::string_view one = std::string_view(value).substr(at + 1, end - at - 1);
    if (one.substr(0, one.find('=')) == name) return {at, end};
    at = end == value.size() ? std::string::npos : end;
  }
  return {std::string::npos, 0};
}
}  // namespace

std::string parameter(const std::string& value, std::string_view name, bool* found) {
  const auto [at, end] = find_parameter(value, name);
  if (found != nullptr) *found = at != std::string::npos;
  if (at == std::string::npos) return {};
  const std::size_t equals = value.find('=', at);
  return equals == std::string::npos || equals >= end ? std::string() : value.substr(equals + 1, end - equals - 1);
}

std::string without_parameter(const std::string& value, std::string_view name) {
  const auto [at, end] = find_parameter(value, name);
  return at == std::string::npos ? value : value.substr(0, at) + value.substr(end);
}

bool read_uri(const std::string& uri, UriParts& out) {
  out = UriParts{};
  if (!uri.starts_with("sip:") && !uri.starts_with("sips:")) return false;
  std::string rest = uri.substr(uri.find(':') + 1);
  const std::size_t at = rest.find('@');
  if (at != std::string::npos) out.user = rest.substr(0, at), rest.erase(0, at + 1);
  const std::size_t semicolon = rest.find(';');
  std::string parameters = semicolon == std::string::npos ? "" : rest.substr(semicolon);
  rest.resize(std::min(semicolon, rest.size()));
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string::npos) {
    if (!digits(rest.substr(colon + 1))) return false;
    out.port = std::atoi(rest.substr(colon + 1).c_str());
    rest.resize(colon);
  }
  out.host = rest;
  out.transport = parameter(parameters, "transport");
  (void)parameter(parameters, "lr", &out.lr);
  return !out.host.empty() && out.host.find_first_of(" <>\"") == std::string::npos;
}

std::string branch_of(const Message& message) {
  const auto vias = message.values("Via");
  return vias.empty() ? std::string() : parameter(vias[0], "branch");
}
unsigned cseq_number(const Message& message) {
  return static_cast<unsigned>(std::strtoul(message.value("CSeq").c_str(), nullptr, 10));
}
std::string cseq_method(const Message& message) {
  const std::string& cseq = message.value("CSeq");
  const std::size_t space = cseq.find(' ');
  return space == std::string::npos ? std::string() : cseq.substr(space + 1);
}

}  // namespace parley::sim::sip
