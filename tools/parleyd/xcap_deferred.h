// tools/parleyd/xcap_deferred.h - what waits for a user, as his XCAP document (OMA-DEF-10): read from the store when it is asked
// for, and deleted entry by entry.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "policy/deferred_list.h"
#include "policy/xcap_usage.h"
#include "tools/parleyd/gather.h"

namespace parley::parleyd {

class XcapDeferredList final : public policy::XcapUsage {
 public:
  // Asks all shards; any thread may, and waits for them.
  using Ask = std::function<Gather::Answers(core::AdminRequest::Kind kind, const std::string& argument)>;
  XcapDeferredList(std::string space, Ask ask) : space_(std::move(space)), ask_(std::move(ask)) {}

  [[nodiscard]] std::string_view auid() const override { return policy::deferred_list_auid; }
  [[nodiscard]] std::string_view type() const override { return policy::deferred_list_type; }
  [[nodiscard]] std::string_view space() const override { return space_; }
  [[nodiscard]] bool has(const policy::XcapPlace& place) const override {
    return !place.global && place.document == policy::deferred_list_document;
  }
  [[nodiscard]] bool computed() const override { return true; }
  [[nodiscard]] policy::XcapComputed compute(const policy::XcapPlace& place) const override;
  [[nodiscard]] bool erases() const override { return true; }
  [[nodiscard]] std::uint16_t erase(const policy::XcapPlace& place, policy::XmlElement element) const override;

 private:
  std::string space_;
  Ask ask_;
};

}  // namespace parley::parleyd
