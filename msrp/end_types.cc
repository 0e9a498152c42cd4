// msrp/end_types.cc - see end_types.h.
#include "msrp/end_types.h"

#include <cstring>

#include "core/check.h"

namespace parley::msrp {

void EndToken::put(std::string& out) const { out.append(reinterpret_cast<const char*>(this), sizeof *this); }

EndToken EndToken::read(std::string_view bytes) {
  EndToken token;
  CHECK(bytes.size() == sizeof token);
  std::memcpy(static_cast<void*>(&token), bytes.data(), sizeof token);
  return token;
}

}  // namespace parley::msrp
