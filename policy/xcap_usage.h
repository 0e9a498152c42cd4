// policy/xcap_usage.h - an application usage (RFC 4825 section 5): which documents there are under one AUID, who may
// read and write them, and what they have to be.
//
// Of a stored usage users write documents, which xcap_service.h keeps and gives to all shards. Of a computed one a
// document is made when it is asked for, by whoever has what stands in it; the most that a user can do to it is to have
// entries of it deleted. A usage has no state that changes: any thread may ask it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/credentials.h"
#include "policy/access_rules.h"
#include "policy/documents.h"
#include "policy/group_document.h"
#include "policy/poc_settings.h"
#include "policy/user_documents.h"
#include "policy/xcap_nodes.h"

namespace parley::policy {

// One document.
struct XcapPlace {
  std::string auid{};
  bool global = false;
  std::string owner{};     // users tree: user_key
  std::string document{};  // its name
};

// What a stored document means.
struct XcapValue {
  std::vector<std::shared_ptr<const Group>> groups{};
  std::shared_ptr<const AccessRules> access_rules{};
  std::optional<PocEntity> settings{};
  std::shared_ptr<const UserLists> lists{};
};

// What else there is, for those constraints that a document alone does not show.
struct XcapWorld {
  const Documents& operators;
  const core::Credentials& accounts;        // names of users of ours
  std::string_view domain{};                // ours: users and groups are of it
  std::string_view groups_prefix{};         // that names of groups have to begin with
  std::span<const std::string> reserved{};  // user_keys that mean something else here
  std::uint32_t group_members_max = 500;    // of a group that a user makes
  const ExternalLists& lists;               // that documents name

  // XcapService::user_of.
  [[nodiscard]] std::string user_of(std::string_view name) const;
};

// Of what users write there may be so much; each is counted where it refuses something.
enum class XcapLimit : std::uint8_t {
  none,
  list_entries,        // lists and entries of a resource-lists document
  list_name,           // bytes of a list's name
  anchors,             // lists that a user's rules, or a group, name
  group_members,       // --xcap-group-members-max
  documents_per_user,  // --xcap-documents-per-user-max
  documents,           // --xcap-documents-max
  documents_bytes,     // --xcap-documents-bytes-max
};
inline constexpr std::size_t xcap_limits = 8;
// The name under which it is counted.
[[nodiscard]] std::string_view to_string(XcapLimit limit);

struct XcapRefusal {
  XcapFault fault = XcapFault::none;
  std::string phrase{};
  std::string field{};  // uniqueness_failure: a node selector, percent-encoded
  XcapLimit limit = XcapLimit::none;
};

// A document of a computed usage.
struct XcapComputed {
  std::uint16_t status = 404;  // 200: it is there; 404: it is not; 503: who has it does not answer
  std::string body{};
  std::string etag{};  // without quotes; the same text has the same
};

class XcapUsage {
 public:
  virtual ~XcapUsage() = default;

  [[nodiscard]] virtual std::string_view auid() const = 0;
  [[nodiscard]] virtual std::string_view type() const = 0;   // MIME type of its documents
  [[nodiscard]] virtual std::string_view space() const = 0;  // default document namespace
  // Those whose content is understood, for the capabilities.
  [[nodiscard]] virtual std::vector<std::string_view> namespaces() const { return {space()}; }
  // A document can be there.
  [[nodiscard]] virtual bool has(const XcapPlace& place) const = 0;
  // For those who are not its owner; documents of the global tree can be read by all who are known.
  [[nodiscard]] virtual bool may_read(std::string_view, const XcapValue&, const XcapWorld&) const {
    return false;
  }

  // --- stored: what a whole document has to be

  [[nodiscard]] virtual bool computed() const { return false; }
  [[nodiscard]] virtual XcapRefusal read(const XcapPlace&, std::string_view, const XcapWorld&, XcapValue&) const {
    return {XcapFault::schema_validation_error, {}, {}};
  }

  // --- computed

  // May wait for an answer; for the owner, or anybody when it is global.
  [[nodiscard]] virtual XcapComputed compute(const XcapPlace&) const { return {}; }
  // Whether erase() does anything; else DELETE is answered 405.
  [[nodiscard]] virtual bool erases() const { return false; }
  // Deletes what an element of the document stands for, with no element: everything. May wait. 200; 404: it is there no
  // more; 409: it can not be deleted; 503: who has it does not answer.
  [[nodiscard]] virtual std::uint16_t erase(const XcapPlace&, XmlElement) const { return 405; }
};

}  // namespace parley::policy
