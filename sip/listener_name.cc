// sip/listener_name.cc - see listener_name.h.
#include "sip/listener_name.h"

#include <algorithm>

namespace parley::sip {

std::string listener_name(const Listener& listener) {
  return std::string(name_of(listener.transport)) + " " + core::to_string(listener.bound);
}

std::span<const Listener>::iterator find_listener(std::string_view name, core::Address::Family family,
                                                  std::span<const Listener> listeners, bool same) {
  const auto exact =
      std::find_if(listeners.begin(), listeners.end(), [&](const Listener& l) { return listener_name(l) == name; });
  if (exact != listeners.end() || same) return exact;
  const std::string_view transport = name.substr(0, name.find(' '));
  return std::find_if(listeners.begin(), listeners.end(), [&](const Listener& l) {
    return name_of(l.transport) == transport && l.bound.family == family;
  });
}

}  // namespace parley::sip
