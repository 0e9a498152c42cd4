// policy/xcap_diff.cc - see xcap_diff.h.
#include "policy/xcap_diff.h"

#include <algorithm>
#include <utility>

#include "policy/xml_writer.h"

namespace parley::policy {
namespace {

void begin_diff(XmlWriter& xml, std::string_view root) {
  xml.open("xcap-diff").attribute("xmlns", "urn:ietf:params:xml:ns:xcap-diff").attribute("xcap-root", root);
}

}  // namespace

void XcapChanges::add(const UserDocuments& now) {
  if (overflown_) return;
  Change change{now.changed_selector, now.previous_etag, now.new_etag};
  const auto before = std::find_if(changes_.begin(), changes_.end(),
                                   [&](const Change& each) { return each.selector == change.selector; });
  if (before != changes_.end()) {
    change.previous_etag = std::move(before->previous_etag);
    changes_.erase(before);
  }
  if (change.previous_etag.empty() && change.new_etag.empty()) return;  // came and went
  if (changes_.size() == documents_max) {
    changes_.clear();
    overflown_ = true;
    return;
  }
  changes_.push_back(std::move(change));
}

void XcapChanges::clear() {
  changes_.clear();
  overflown_ = false;
}

void put_xcap_diff(std::string_view root, std::span<const OwnedDocument> documents, std::string& out) {
  XmlWriter xml(out);
  begin_diff(xml, root);
  for (const OwnedDocument& document : documents) {
    xml.open("document").attribute("new-etag", document.etag).attribute("sel", document.selector).close();
  }
}

void put_xcap_diff(std::string_view root, std::span<const XcapChanges::Change> changes, std::string& out) {
  XmlWriter xml(out);
  begin_diff(xml, root);
  for (const XcapChanges::Change& change : changes) {
    xml.open("document");
    if (!change.new_etag.empty()) xml.attribute("new-etag", change.new_etag);
    if (!change.previous_etag.empty()) xml.attribute("previous-etag", change.previous_etag);
    xml.attribute("sel", change.selector).close();
  }
}

}  // namespace parley::policy
