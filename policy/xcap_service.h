// policy/xcap_service.h - an XCAP server without its sockets (RFC 4825): the documents that users have stored, and what
// a request does to them.
//
// Values in, values out, no clock, no lock: who has several threads sees to it that apply() and the setters are alone,
// and that nothing is applied between judge() and apply(). What a request changes is an XcapChange, which holds only
// after apply(): its caller stores it first, so that an answer is a promise.
//
//   ask()      which document is it about                  404 before anybody is asked who he is
//   judge()    everything else                             the answer, and perhaps a change
//   apply()    the change                                  the snapshot for all shards
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/store.h"
#include "policy/user_documents.h"
#include "policy/xcap_usage.h"

namespace parley::policy {

struct XcapConfig {
  std::string root = "/xcap-root";
  std::string domain{};                 // ours: of users and groups
  std::string groups_prefix{};          // that names of groups have to begin with
  std::vector<std::string> reserved{};  // user_keys that no group may have
  std::uint32_t group_members_max = 500;
  std::uint32_t document_bytes_max = 256 * 1024;
  std::uint32_t documents_per_user_max = 32;
  std::uint32_t documents_max = 1'000'000;
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  // of all documents
};

struct XcapAsk {
  std::uint16_t status = 200;  // 404, 400
  const XcapUsage* usage = nullptr;
  XcapPlace place;
  XcapTarget target;
};

struct XcapRequest {
  std::string_view method{};
  std::span<const std::string> users{};  // user_keys of who asks: proven
  std::string_view content_type{};
  std::optional<std::string_view> if_match{};
  std::optional<std::string_view> if_none_match{};
  std::string_view body{};
  std::int64_t now_ms = 0;
  std::uint64_t random = 0;  // becomes the etag of what is changed
};

struct XcapAnswer {
  std::uint16_t status = 200;
  std::string type{};
  std::string body{};
  std::string etag{};         // without quotes; empty: none
  std::string_view allow{};   // 405
  std::string_view accept{};  // 415
};

struct XcapChange {
  bool removes = false;
  core::XcapRow row{};
  XcapValue value{};
  std::string previous_etag{};
  // What the store has of that document under the user's other name, which this one goes before, goes with it: its
  // owner; empty: there is none.
  std::string also_removes{};
};

struct XcapOutcome {
  XcapAnswer answer;
  std::optional<XcapChange> change{};
  // Of a computed usage: what XcapUsage::erase() is to be asked; the answer is then what it says.
  bool erases = false;
  XcapLimit limit = XcapLimit::none;  // why it is refused
};

class XcapService {
 public:
  XcapService(XcapConfig config, std::vector<std::unique_ptr<const XcapUsage>> usages);

  // --- what else there is

  void set_accounts(std::shared_ptr<const core::Credentials> accounts) { accounts_ = std::move(accounts); }
  // Settings are settled anew; whose document the operator has now, too, is told of.
  [[nodiscard]] std::shared_ptr<const UserDocuments> set_operators(std::shared_ptr<const Documents> operators,
                                                                   std::vector<std::string>& warnings);
  // What an earlier process has stored, after set_operators(). What is not valid any more stays its user's and means
  // nothing until a later set_operators() makes it valid. What was written for a number before there was an account of
  // that name is that user's while there is one.
  [[nodiscard]] std::shared_ptr<const UserDocuments> restore(std::vector<core::XcapRow>&& rows,
                                                             std::vector<std::string>& warnings);

  // The user_key of whom a name or URI stands for. A user of ours whose name is a number is known by that, too.
  [[nodiscard]] std::string user_of(std::string_view name) const;

  // --- requests

  [[nodiscard]] XcapAsk ask(std::string_view target) const;
  // `computed`: of a computed usage, its document, asked for beforehand unless that may not be: see may_compute().
  [[nodiscard]] XcapOutcome judge(const XcapAsk& ask, const XcapRequest& request,
                                  const XcapComputed* computed = nullptr) const;
  [[nodiscard]] std::shared_ptr<const UserDocuments> apply(XcapChange change);
  // After an outcome that erases; may wait. The status to answer.
  [[nodiscard]] std::uint16_t erase(const XcapAsk& ask, const XcapComputed& computed) const;
  // Whether this request may see the document of a computed usage at all.
  [[nodiscard]] static bool may_compute(const XcapAsk& ask, const XcapRequest& request);

  [[nodiscard]] std::size_t documents() const { return documents_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const XcapConfig& config() const { return config_; }

 private:
  struct Stored {
    core::XcapRow row;     // its owner: under whom the store has it
    std::string owner;     // whose it is: user_of() that one, unless he has one of that name himself
    XcapValue value;       // empty while it means nothing
    bool refused = false;  // what an earlier process has stored, and means nothing now
  };
  using Map = std::map<std::string, Stored, std::less<>>;  // by owner, AUID and name, separated by a line's end

  [[nodiscard]] XcapWorld world() const;
  std::shared_ptr<const UserDocuments> hold(std::shared_ptr<UserDocuments> next);
  [[nodiscard]] XmlLimits limits() const;
  [[nodiscard]] XcapOutcome judge_computed(const XcapAsk& ask, const XcapRequest& request,
                                           const XcapComputed& computed) const;
  [[nodiscard]] XcapOutcome judge_read(const XcapAsk& ask, const XcapRequest& request, const Stored* stored) const;
  [[nodiscard]] XcapOutcome judge_put(const XcapAsk& ask, const XcapRequest& request, const Stored* stored) const;
  [[nodiscard]] XcapOutcome judge_delete(const XcapAsk& ask, const XcapRequest& request, const Stored* stored) const;
  [[nodiscard]] XcapOutcome changed(const XcapAsk& ask, const XcapRequest& request, const Stored* stored,
                                    std::string&& bytes, bool created) const;
  [[nodiscard]] XcapRefusal judge_others(const XcapAsk& ask, const XcapValue& value) const;
  [[nodiscard]] static std::string kept_under(const Stored& stored);  // key in documents_
  [[nodiscard]] XcapRefusal read_again(Stored& stored, std::vector<std::string>& warnings) const;
  void give_to_owners(UserDocuments& next, std::vector<std::string>& warnings);
  [[nodiscard]] const Stored* find(const XcapPlace& place) const;
  [[nodiscard]] std::string hidden_owner(const XcapPlace& place) const;  // XcapChange::also_removes
  [[nodiscard]] std::size_t count_of(std::string_view owner, std::string_view auid) const;
  // Into and out of a snapshot that is being made.
  void show(const Stored& stored, UserDocuments& out);
  void hide(const Stored& stored, UserDocuments& out);
  void list_owned(std::string_view owner, UserDocuments& out) const;

  const XcapConfig config_;
  const std::vector<std::unique_ptr<const XcapUsage>> usages_;
  std::shared_ptr<const core::Credentials> accounts_ = std::make_shared<core::Credentials>();
  std::shared_ptr<const Documents> operators_ = std::make_shared<Documents>();
  Map documents_;
  std::map<std::string, std::string, std::less<>> group_of_;  // Group::key() to the key of the document it is in
  std::uint64_t bytes_ = 0;
  std::shared_ptr<const UserDocuments> snapshot_;
  ExternalLists lists_;  // the operator's and those in snapshot_
};

// The document selector: "AUID/users/XUI/NAME", percent-encoded.
[[nodiscard]] std::string xcap_selector(std::string_view auid, std::string_view owner, std::string_view name);
// The conflict report of a refusal (RFC 4825 section 11).
[[nodiscard]] std::string xcap_report(XcapFault fault, std::string_view phrase, std::string_view detail = {});

}  // namespace parley::policy
