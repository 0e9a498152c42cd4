// sip/event_packages.cc - see event_packages.h.
#include "sip/event_packages.h"

#include <algorithm>

#include "core/check.h"
#include "sip/tokens.h"
#include "sip/value.h"

namespace parley::sip {

namespace {

constexpr std::uint32_t brief_limit_seconds = 3600;  // 6665 4.2.1.1: from here on nothing is too brief

}  // namespace

bool accepts_documents(const EventPackage& package, std::string_view subtype, const Head& request, std::string_view bytes) {
  const Header* header = request.first(HeaderId::accept);
  if (header == nullptr) return subtype == package.subtype;
  for (; header != nullptr; header = request.next(*header)) {
    if (accepts(header->value.of(bytes), package.type, subtype)) return true;
  }
  return false;
}

SubscribeAnswer judge_subscribe(std::span<const EventPackage> packages, const Head& request, std::string_view bytes) {
  SubscribeAnswer answer;
  const auto refuse = [&answer](std::uint16_t status) {
    answer.status = status;
    return answer;
  };
  const Header* const event = request.first(HeaderId::event);
  if (event == nullptr) return refuse(489);  // 6665 4.2.3: no PINT here
  if (!parse_event(event->value.of(bytes), answer.event)) return refuse(400);

  const auto found = std::find_if(packages.begin(), packages.end(),
                                  [&](const EventPackage& package) { return package.name == answer.event.package; });
  if (found == packages.end()) return refuse(489);  // 6665 4.2.1.1
  const EventPackage& package = *found;
  CHECK(package.expires_min_seconds <= brief_limit_seconds);
  answer.package = static_cast<std::uint8_t>(found - packages.begin());
  const bool taken = accepts_documents(package, package.subtype, request, bytes) ||
                     (!package.other_subtype.empty() && accepts_documents(package, package.other_subtype, request, bytes));
  if (!taken) return refuse(406);  // 6665 4.1.2.1

  std::uint32_t asked = package.expires_default_seconds;
  const Header* const expires = request.first(HeaderId::expires);
  if (expires != nullptr && !clamped_number(expires->value.of(bytes), asked)) return refuse(400);
  if (asked > 0 && asked < package.expires_min_seconds) {
    answer.min_expires_seconds = package.expires_min_seconds;
    return refuse(423);  // 6665 4.2.1.1
  }
  answer.expires_seconds = std::min(asked, package.expires_max_seconds);
  return answer;
}

std::string allow_events(std::span<const EventPackage> packages) {
  std::string value;
  for (const EventPackage& package : packages) {
    if (!value.empty()) value += ", ";
    value += package.name;
  }
  return value;
}

}  // namespace parley::sip
