// sip/event_packages.h - event packages, and the answer a SUBSCRIBE deserves before anybody is asked whether its sender
// may (RFC 6665 section 4.2.1.1). R6665-1, R6665-3.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/time.h"
#include "sip/event_headers.h"
#include "sip/head.h"

namespace parley::sip {

struct EventPackage {
  std::string_view name;
  std::string_view type;  // of the documents, also what an absent Accept means
  std::string_view subtype;
  std::string_view other_subtype{};  // may be asked for instead; empty: there is none
  std::uint32_t expires_default_seconds = 3600;  // without Expires
  std::uint32_t expires_max_seconds = 3600;      // longer ones are shortened
  std::uint32_t expires_min_seconds = 60;        // shorter ones get 423; at most 3600 (RFC 6665 section 4.2.1.1)
  core::Duration interval_min{};                 // between NOTIFYs that changes cause
};

// R3680-1: 3761 s, so that the refreshes of registration and subscription do not fall together; one NOTIFY in 5 s.
inline constexpr EventPackage reg_package{.name = "reg",
                                          .type = "application",
                                          .subtype = "reginfo+xml",
                                          .expires_default_seconds = 3761,
                                          .expires_max_seconds = 3761,
                                          .interval_min = core::Duration(std::chrono::seconds(5))};
// RFC 4354 sections 5.4, 5.5 and 5.12: 3600 s, one NOTIFY in 5 s.
inline constexpr EventPackage poc_settings_package{.name = "poc-settings",
                                                   .type = "application",
                                                   .subtype = "poc-settings+xml",
                                                   .interval_min = core::Duration(std::chrono::seconds(5))};
// OMA-CONF-1, OMA-CONF-4: RFC 4575 sections 3.3 and 3.9.
inline constexpr EventPackage conference_package{.name = "conference",
                                                 .type = "application",
                                                 .subtype = "conference-info+xml",
                                                 .interval_min = core::Duration(std::chrono::seconds(5))};
// RFC 5875 sections 4.5 and 4.10.
inline constexpr EventPackage xcap_diff_package{.name = "xcap-diff",
                                                .type = "application",
                                                .subtype = "xcap-diff+xml",
                                                .interval_min = core::Duration(std::chrono::seconds(5))};
// OMA-DEF-11: by either name, and either as a whole or as that it has changed (RFC 5874).
inline constexpr EventPackage sip_profile_package{.name = "sip-profile",
                                                  .type = "application",
                                                  .subtype = "vnd.oma.im.deferred-list+xml",
                                                  .other_subtype = "xcap-diff+xml",
                                                  .interval_min = core::Duration(std::chrono::seconds(5))};
inline constexpr EventPackage ua_profile_package{.name = "ua-profile",
                                                 .type = "application",
                                                 .subtype = "vnd.oma.im.deferred-list+xml",
                                                 .other_subtype = "xcap-diff+xml",
                                                 .interval_min = core::Duration(std::chrono::seconds(5))};
// R3856-1; for those who provide it. Who does not leaves it out and a SUBSCRIBE for it gets 489.
inline constexpr EventPackage presence_package{.name = "presence",
                                               .type = "application",
                                               .subtype = "pidf+xml",
                                               .interval_min = core::Duration(std::chrono::seconds(5))};

struct SubscribeAnswer {
  // 200: it may be accepted. 400, 406; 423 with Min-Expires; 489 with Allow-Events.
  std::uint16_t status = 200;
  std::uint8_t package = 0;           // index into the packages; valid but for 400 and 489
  std::uint32_t expires_seconds = 0;  // 200: at most what was asked for; 0: a fetch, or the end
  std::uint32_t min_expires_seconds = 0;
  Event event{};  // views into the message
};
// Whether its Accept lets documents of that type come; an absent one lets those of the package's `subtype`.
[[nodiscard]] bool accepts_documents(const EventPackage& package, std::string_view subtype, const Head& request,
                                     std::string_view bytes);
// For the first SUBSCRIBE and for refreshes.
[[nodiscard]] SubscribeAnswer judge_subscribe(std::span<const EventPackage> packages, const Head& request,
                                              std::string_view bytes);

// The value of Allow-Events: "conference, reg".
[[nodiscard]] std::string allow_events(std::span<const EventPackage> packages);

}  // namespace parley::sip
