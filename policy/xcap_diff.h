// policy/xcap_diff.h - what a watcher is told of a user's XCAP documents: application/xcap-diff+xml (RFC 5874), with
// documents alone and without patches (RFC 5875, "no-patching").
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/user_documents.h"
#include "policy/xcap_diff_type.h"

namespace parley::policy {

// What has happened since the last NOTIFY: several changes of a document become one.
class XcapChanges {
 public:
  static constexpr std::size_t documents_max = 128;  // with more, everything is told that there is
  struct Change {
    std::string selector;
    std::string previous_etag;  // empty: it was not there
    std::string new_etag;       // empty: it is there no more
  };

  void add(const UserDocuments& now);
  void clear();
  [[nodiscard]] bool overflown() const { return overflown_; }
  [[nodiscard]] std::span<const Change> changes() const { return changes_; }  // in the order in which they were made

 private:
  std::vector<Change> changes_;
  bool overflown_ = false;
};

// Appends the document: what there is, or what has changed. `root` is the URI of the XCAP root.
void put_xcap_diff(std::string_view root, std::span<const OwnedDocument> documents, std::string& out);
void put_xcap_diff(std::string_view root, std::span<const XcapChanges::Change> changes, std::string& out);

}  // namespace parley::policy
