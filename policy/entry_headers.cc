// policy/entry_headers.cc - see entry_headers.h.
#include "policy/entry_headers.h"

#include <algorithm>

#include "core/text.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

// What the request is about, and what binds it to others (T-9).
constexpr HeaderId honoured[] = {HeaderId::subject,         HeaderId::priority,        HeaderId::in_reply_to,
                                 HeaderId::contribution_id, HeaderId::conversation_id, HeaderId::inreplyto_contribution_id};

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// False: an escape is none, or stands for what no header line may hold.
bool without_escapes(std::string_view text, std::string& out) {
  out.clear();
  while (!text.empty()) {
    char c = text.front();
    std::size_t length = 1;
    if (c == '%') {
      const int high = text.size() < 3 ? -1 : digit(text[1]);
      const int low = text.size() < 3 ? -1 : digit(text[2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      length = 3;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    out.push_back(c);
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::string entry_target(std::string_view uri) {
  std::string out(uri.substr(0, uri.find('?')));
  for (std::size_t at = out.find(";method="); at != std::string::npos; at = out.find(";method=")) {
    const std::size_t end = out.find(';', at + 1);
    out.erase(at, end == std::string::npos ? std::string::npos : end - at);
  }
  return out;
}

std::vector<EntryHeader> entry_headers(std::string_view uri) {
  std::vector<EntryHeader> found;
  const std::size_t start = std::min(uri.find('?'), uri.size());
  std::string_view rest = uri.substr(std::min(start + 1, uri.size()));
  std::string name;
  std::string value;
  while (!rest.empty() && found.size() < entry_headers_max) {
    const std::string_view item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || !without_escapes(item.substr(0, equals), name) ||
        !without_escapes(item.substr(equals + 1), value)) {
      continue;
    }
    const HeaderId id = sip::header_id(name);
    const auto same = [id](const EntryHeader& header) { return header.id == id; };
    if (std::find(std::begin(honoured), std::end(honoured), id) == std::end(honoured)) continue;
    if (std::none_of(found.begin(), found.end(), same)) found.push_back({id, value});
  }
  return found;
}

void put_entry_headers(const std::vector<EntryHeader>& headers, std::vector<sip::HeaderText>& texts) {
  for (const EntryHeader& header : headers) {
    std::erase_if(texts, [&header](const sip::HeaderText& text) { return text.id == header.id; });
    texts.push_back({.id = header.id, .value = header.value});
  }
}

}  // namespace parley::policy
