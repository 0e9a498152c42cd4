// policy/history_list.h - what a user is told of the records of his conversations: application/vnd.oma.im.history-list+xml
// (OMA-HIS-1, OMA-HIS-2), and what operators are.
//
// Pure: rows of the store in, documents out. A list that would be too long has the newest of its records, in the order
// in which they began, and says how many it leaves out: no more than bytes_max of it are in memory, however many rows
// there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/digest.h"
#include "core/store/store.h"
#include "policy/list_document.h"

namespace parley::policy {

inline constexpr std::string_view history_list_type = "application/vnd.oma.im.history-list+xml";
inline constexpr std::string_view history_list_space = "urn:oma:xml:im:history-list";
inline constexpr std::string_view history_auid = "org.openmobilealliance.conv-history";
inline constexpr std::string_view history_document = "conv-history";

class HistoryList {
 public:
  enum class Form : std::uint8_t {
    document,
    entries,  // {"records":[...],"left_out":0}, for operators
  };
  // `domain`: of references. `bytes_max` 0: as long as it is.
  HistoryList(Form form, std::string_view domain, std::uint64_t bytes_max)
      : form_(form), domain_(domain), bytes_max_(bytes_max) {}

  // In the order of their ids.
  void add(const core::HistoryRecordRow& row, core::Digest& digest);
  [[nodiscard]] std::size_t records() const { return records_; }  // also those that are left out
  [[nodiscard]] ListDocument finish() const;
  [[nodiscard]] const std::string& domain() const { return domain_; }

 private:
  Form form_;
  std::string domain_;
  std::uint64_t bytes_max_;
  std::deque<std::string> entries_;
  std::uint64_t bytes_ = 0;  // of these
  std::size_t records_ = 0;
  std::string etag_;  // of all that has come: of the one before, and the entry
};

}  // namespace parley::policy
