// msrp/uri.cc - comparing MSRP URIs (RFC 4975 section 6.1) and walking along paths.
#include "msrp/uri.h"

#include <cstddef>

#include "core/host_text.h"

namespace parley::msrp {

bool same_uri(const Uri& a, const Uri& b) {
  return a.secure == b.secure && a.has_port == b.has_port && a.port == b.port && a.session_id == b.session_id &&
         equal_ignore_case(a.transport, b.transport) && core::same_host(a.host, b.host);
}

PathSplit split_path(std::string_view path) {
  const std::size_t space = path.find(' ');
  if (space == std::string_view::npos) return {path, {}};
  return {path.substr(0, space), path.substr(space + 1)};
}

std::string_view last_of_path(std::string_view path) {
  const std::size_t space = path.rfind(' ');
  return space == std::string_view::npos ? path : path.substr(space + 1);
}

std::size_t path_length(std::string_view path) {
  if (path.empty()) return 0;
  std::size_t count = 1;
  for (const char c : path) count += c == ' ' ? 1 : 0;
  return count;
}

}  // namespace parley::msrp
