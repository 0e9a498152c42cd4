// policy/xcap_usages.h - the application usages whose documents this server stores, and that which says what there is.
#pragma once

#include <memory>
#include <vector>

#include "policy/resource_list.h"
#include "policy/xcap_usage.h"

namespace parley::policy {

inline constexpr std::string_view xcap_groups_auid = "org.openmobilealliance.groups";
inline constexpr std::string_view xcap_access_rules_auid = "org.openmobilealliance.access-rules";
inline constexpr std::string_view xcap_settings_auid = "org.parley.settings-defaults";
inline constexpr std::string_view xcap_lists_auid = "resource-lists";
inline constexpr std::string_view xcap_caps_auid = "xcap-caps";

// OMA-GRP-1: any number of documents of any name, each with groups of this domain. The members of all groups in one may
// read it, as long as its rules let them know who is in their sessions (allow-conference-state).
class XcapGroups final : public XcapUsage {
 public:
  [[nodiscard]] std::string_view auid() const override { return xcap_groups_auid; }
  [[nodiscard]] std::string_view type() const override { return groups_type; }
  [[nodiscard]] std::string_view space() const override { return list_service_space; }
  [[nodiscard]] std::vector<std::string_view> namespaces() const override;
  [[nodiscard]] bool has(const XcapPlace& place) const override { return !place.global; }
  [[nodiscard]] bool may_read(std::string_view reader, const XcapValue& value, const XcapWorld& world) const override;
  [[nodiscard]] XcapRefusal read(const XcapPlace& place, std::string_view bytes, const XcapWorld& world,
                                 XcapValue& out) const override;
};

// OMA-ACC-1: one document of each user, "access-rules" or "index".
class XcapAccessRules final : public XcapUsage {
 public:
  [[nodiscard]] std::string_view auid() const override { return xcap_access_rules_auid; }
  [[nodiscard]] std::string_view type() const override { return access_rules_type; }
  [[nodiscard]] std::string_view space() const override { return common_policy_space; }
  [[nodiscard]] std::vector<std::string_view> namespaces() const override;
  [[nodiscard]] bool has(const XcapPlace& place) const override;
  [[nodiscard]] XcapRefusal read(const XcapPlace& place, std::string_view bytes, const XcapWorld& world,
                                 XcapValue& out) const override;
};

// OMA-SET-7, OMA-SET-10: what holds while a user has published nothing; one document of each, "settings-defaults" or
// "index".
class XcapSettings final : public XcapUsage {
 public:
  [[nodiscard]] std::string_view auid() const override { return xcap_settings_auid; }
  [[nodiscard]] std::string_view type() const override { return poc_settings_type; }
  [[nodiscard]] std::string_view space() const override;
  [[nodiscard]] std::vector<std::string_view> namespaces() const override;
  [[nodiscard]] bool has(const XcapPlace& place) const override;
  [[nodiscard]] XcapRefusal read(const XcapPlace& place, std::string_view bytes, const XcapWorld& world,
                                 XcapValue& out) const override;
};

// RFC 4826 section 3: any number of documents of any name. The lists of that of name "index" are what the same user's groups
// and rules may name by anchor, and the operator's (list_anchor.h).
class XcapResourceLists final : public XcapUsage {
 public:
  [[nodiscard]] std::string_view auid() const override { return xcap_lists_auid; }
  [[nodiscard]] std::string_view type() const override { return resource_lists_type; }
  [[nodiscard]] std::string_view space() const override { return lists_space; }
  [[nodiscard]] bool has(const XcapPlace& place) const override { return !place.global; }
  [[nodiscard]] XcapRefusal read(const XcapPlace& place, std::string_view bytes, const XcapWorld& world,
                                 XcapValue& out) const override;
};

// RFC 4825 section 12: one document for all.
class XcapCaps final : public XcapUsage {
 public:
  // Of these usages and itself.
  explicit XcapCaps(const std::vector<std::unique_ptr<const XcapUsage>>& usages);
  [[nodiscard]] std::string_view auid() const override { return xcap_caps_auid; }
  [[nodiscard]] std::string_view type() const override { return "application/xcap-caps+xml"; }
  [[nodiscard]] std::string_view space() const override { return "urn:ietf:params:xml:ns:xcap-caps"; }
  [[nodiscard]] bool has(const XcapPlace& place) const override { return place.global && place.document == "index"; }
  [[nodiscard]] bool computed() const override { return true; }
  [[nodiscard]] XcapComputed compute(const XcapPlace&) const override { return document_; }

 private:
  XcapComputed document_;
};

// Nobody makes himself a group of somebody's address, or of one that the service has.
[[nodiscard]] XcapRefusal judge_group_uri(const Group& group, const XcapWorld& world);

// Whether a user may have only one document of a usage, whatever its name.
[[nodiscard]] bool is_single_document(std::string_view auid);

}  // namespace parley::policy
