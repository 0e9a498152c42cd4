// sip/reach.cc - see reach.h.
#include "sip/reach.h"

#include <algorithm>

namespace parley::sip {

bool may_reach(std::span<const core::Cidr> deny, const core::Address& address) {
  if (address.port == 0 || core::is_unspecified(address) || core::is_multicast(address)) return false;
  const core::Address plain = core::unmapped(address);
  return std::none_of(deny.begin(), deny.end(),
                      [&plain](const core::Cidr& block) { return core::contains(block, plain); });
}

}  // namespace parley::sip
