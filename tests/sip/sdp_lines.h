// tests/sip/sdp_lines.h - what parse_sdp says about a description, as the lines a golden page expects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sip/sdp.h"

namespace parley::tests {

std::vector<std::string> sdp_lines(std::string_view text, const sip::Sdp& sdp, const sip::SdpVerdict& verdict);

}  // namespace parley::tests
