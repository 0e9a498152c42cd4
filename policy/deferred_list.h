// policy/deferred_list.h - what a user is told of the messages that wait for him:
// application/vnd.oma.im.deferred-list+xml (OMA-DEF-1 to OMA-DEF-3, OMA-DEF-15), and that it has changed:
// application/xcap-diff+xml (RFC 5874).
//
// Pure: rows of the store in, documents out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/digest.h"
#include "core/store/store.h"
#include "policy/list_document.h"
#include "policy/xcap_diff_type.h"

namespace parley::policy {

inline constexpr std::string_view deferred_list_type = "application/vnd.oma.im.deferred-list+xml";
inline constexpr std::string_view deferred_list_space = "urn:oma:xml:im:deferred-list";
inline constexpr std::string_view deferred_list_auid = "org.openmobilealliance.deferred-list";
inline constexpr std::string_view deferred_list_document = "deferred-list";

enum class DeferredMode : std::uint8_t { pager, large };

struct DeferredEntry {
  std::uint64_t id = 0;
  std::string message_id{};  // imdn.Message-ID; empty: it has none
  std::string from{};        // URI, as its user may see it
  std::string from_name{};   // display name, without quotes; empty: none
  std::string to{};          // URI
  std::string subject{};     // empty: none
  std::int64_t date_ms = 0;
  std::int64_t expires_ms = 0;
  std::uint64_t size = 0;  // of its body
  std::string content_type{};
  DeferredMode mode = DeferredMode::pager;
  core::DeferredState state = core::DeferredState::fresh;
};
[[nodiscard]] DeferredEntry deferred_entry(const core::DeferredRow& row);
[[nodiscard]] DeferredMode deferred_mode(const core::DeferredRow& row);

[[nodiscard]] std::string_view to_string(DeferredMode mode);
[[nodiscard]] std::string_view to_string(core::DeferredState state);  // new, notified, expiring

struct DeferredListStyle {
  std::string_view space = deferred_list_space;  // def.ns (OMA-DEF-2)
  std::string_view domain{};                     // of references
  std::uint64_t bytes_max = 0;                   // of the document, about; 0: as long as it is
};
using DeferredList = ListDocument;  // what it leaves out stands behind what it has
[[nodiscard]] DeferredList put_deferred_list(std::span<const DeferredEntry> entries, const DeferredListStyle& style,
                                             core::Digest& digest);

// That the document of a user is `etag` now, and was `before`; empty: not said.
struct DeferredListChange {
  std::string_view root;  // xcap-root
  std::string_view aor;
  std::string_view etag;
  std::string_view before;
};
[[nodiscard]] std::string put_deferred_list_change(const DeferredListChange& change);

// For operators: {"messages":[...]}.
[[nodiscard]] std::string deferred_list_json(std::span<const DeferredEntry> entries);

}  // namespace parley::policy
