// sip/reach.h - where we send to at all.
#pragma once

#include <span>

#include "core/address.h"

namespace parley::sip {

// Never where an operator forbids it; and never to where no peer can be: nobody's address, everybody's, a group's.
[[nodiscard]] bool may_reach(std::span<const core::Cidr> deny, const core::Address& address);

}  // namespace parley::sip
