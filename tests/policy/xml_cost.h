// tests/policy/xml_cost.h - what reading an XML document may cost, for tests/fuzz/cost.h.
#pragma once

#include <cstddef>

namespace parley::tests {

// libxml2 copies the input and keeps a dictionary of names, whose table grows to eight times its size at once: 6, 48, 384
// KiB. An element "<a/>" becomes 40 bytes of tree, and the lists that hold attributes grow by doubling. All in all 20
// bytes for a byte and 400 KiB for any document, where cost.h counts 4 and 16 KiB.
constexpr std::size_t xml_cost(std::size_t input_bytes) { return 5 * input_bytes + std::size_t{96} * 1024; }

}  // namespace parley::tests
