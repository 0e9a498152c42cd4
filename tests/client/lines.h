// tests/client/lines.h - looks at requests and answers of the client before they have a way.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tools/parley/requests.h"

namespace parley::tests {

// The value of a header that stands there once; "" when it does not stand there.
inline std::string line(const client::Lines& lines, sip::HeaderId id) {
  std::string value;
  int found = 0;
  for (const client::Line& one : lines.list) {
    if (one.id != id) continue;
    ++found;
    value = one.value;
  }
  EXPECT_LE(found, 1);
  return value;
}
inline std::string line(const client::Request& request, sip::HeaderId id) { return line(request.lines, id); }

inline client::Self alice() {
  client::Self self;
  self.aor = "sip:alice@example.org";
  self.display_name = "Alice \"A\"";
  self.contact = "sip:alice@192.0.2.1:40000";
  self.instance = "urn:uuid:00000000-0000-4000-8000-000000000001";
  self.version = "IM-client/OMA1.0 parley/0.1.0";
  return self;
}
inline client::Self anonymous() {
  client::Self self = alice();
  self.anonymous = true;
  self.alias = "Foxy";
  return self;
}

}  // namespace parley::tests
