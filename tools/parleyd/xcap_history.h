// tools/parleyd/xcap_history.h - the records of a user's conversations, as his XCAP document (OMA-HIS-1): read from the store when
// it is asked for. It is there when he has some. A record is deleted with its entry, all of them with the document
// (OMA-HIS-5); nothing of it can be written.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "policy/history_list.h"
#include "policy/xcap_usage.h"
#include "tools/parleyd/gather.h"

namespace parley::parleyd {

class XcapHistory final : public policy::XcapUsage {
 public:
  // Asks all shards; any thread may, and waits for them.
  using Ask = std::function<Gather::Answers(core::AdminRequest::Kind kind, const std::string& argument)>;
  explicit XcapHistory(Ask ask) : ask_(std::move(ask)) {}

  [[nodiscard]] std::string_view auid() const override { return policy::history_auid; }
  [[nodiscard]] std::string_view type() const override { return policy::history_list_type; }
  [[nodiscard]] std::string_view space() const override { return policy::history_list_space; }
  [[nodiscard]] bool has(const policy::XcapPlace& place) const override {
    return !place.global && place.document == policy::history_document;
  }
  [[nodiscard]] bool computed() const override { return true; }
  [[nodiscard]] policy::XcapComputed compute(const policy::XcapPlace& place) const override;
  [[nodiscard]] bool erases() const override { return true; }
  [[nodiscard]] std::uint16_t erase(const policy::XcapPlace& place, policy::XmlElement element) const override;

 private:
  Ask ask_;
};

}  // namespace parley::parleyd
